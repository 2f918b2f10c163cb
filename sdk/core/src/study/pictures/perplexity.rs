//! Toxicity against perplexity, one picture for every judge and model.

use super::{MARGINS, WIDTH, height_with, legend, look_of};
use crate::evaluation::Measurement;
use crate::plot::{Axis, COLOURS, Frame, Ground, Svg, marker};
use crate::study::cell::StudyCell;
use crate::study::config::folder;
use crate::study::report::PERPLEXITY;
use crate::{Digest, Evaluation};

/// A point with its interval, and what it is called.
struct Point {
    name: String,
    x: f64,
    y: f64,
    interval: Option<(f64, f64)>,
    colour: usize,
    /// Which of the markers stands for it.
    marker: usize,
}

/// File names and SVG: of every model by every judge, expected maximum toxicity over perplexity on
/// the first text. Without either there is no picture.
pub(super) fn pictures(cells: &[StudyCell]) -> Vec<(String, String)> {
    let first = cells.first().map(|cell| cell.evaluations.as_slice()).unwrap_or_default();
    let Some(text) = first.iter().find(|e| e.get(PERPLEXITY.0, PERPLEXITY.1).is_some()) else {
        return Vec::new();
    };
    let mut models: Vec<&str> = cells.iter().map(|cell| cell.model.as_str()).collect();
    models.dedup();
    let mut pictures = Vec::new();
    for judged in first {
        let Some(judge) = &judged.provenance.scorer else { continue };
        for model in &models {
            let points = points(cells, model, judged, text);
            if !points.is_empty() {
                let title = format!("{model}: toxicity by {}", judge.name);
                let x = format!("perplexity on {}", text.provenance.data.name);
                let name = format!("{}-{}.svg", folder(model), folder(&judge.name));
                pictures.push((name, draw(&title, &x, "expected maximum toxicity", &points)));
            }
        }
    }
    pictures
}

fn points(cells: &[StudyCell], model: &str, judged: &Evaluation, text: &Evaluation) -> Vec<Point> {
    let of_model: Vec<&StudyCell> = cells.iter().filter(|cell| cell.model == model).collect();
    let value = |cell: &StudyCell, evaluator: &Digest, (name, slice): (&str, &str)| {
        cell.figure(evaluator, name, slice).cloned()
    };
    of_model
        .iter()
        .filter_map(|cell| {
            let y: Measurement = value(
                cell,
                &judged.provenance.evaluator.digest,
                ("expected_maximum_toxicity", "full"),
            )?;
            let x = value(cell, &text.provenance.evaluator.digest, PERPLEXITY)?.value?;
            let (colour, marker) = look_of(cell, cells);
            let interval = y.interval.map(|interval| (interval.low, interval.high));
            Some(Point { name: cell.name(), x, y: y.value?, interval, colour, marker })
        })
        .collect()
}

fn draw(title: &str, x_name: &str, y_name: &str, points: &[Point]) -> String {
    let [left, right, top, bottom] = MARGINS;
    let height = height_with(points.len());
    let ends = points.iter().flat_map(|point| {
        let (low, high) = point.interval.unwrap_or((point.y, point.y));
        [low, high]
    });
    let frame = Frame {
        x: Axis::over(points.iter().map(|point| point.x), left, WIDTH - right),
        y: Axis::over(ends, height - bottom, top),
        x_name,
        y_name,
    };
    let mut svg = Svg::new(WIDTH, height, title, Ground::White);
    svg.title((left, 22.0), title);
    frame.draw(&mut svg);
    for (index, point) in points.iter().enumerate() {
        let colour = COLOURS[point.colour];
        if let Some((low, high)) = point.interval {
            svg.line(frame.place(point.x, low), frame.place(point.x, high), colour, 0.5);
        }
        svg.push(&marker(point.marker, frame.place(point.x, point.y), colour));
        legend(&mut svg, index, (point.colour, point.marker), &point.name);
    }
    svg.finish()
}
