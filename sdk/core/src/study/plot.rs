//! A study in pictures: toxicity against perplexity, one for every judge and model.

use super::cell::StudyCell;
use super::config::folder;
use super::report::PERPLEXITY;
use crate::evaluation::Measurement;
use crate::plot::{Axis, COLOURS, Frame, Ground, Svg, marker};
use crate::{Digest, Evaluation};

const WIDTH: f64 = 720.0;
/// And more where the legend is long.
const LEAST_HEIGHT: f64 = 420.0;
/// Room for labels at the left, right (the legend), top and bottom.
const MARGINS: [f64; 4] = [64.0, 250.0, 40.0, 52.0];

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
    let of_model = || cells.iter().filter(|cell| cell.model == model);
    let number = |names: Vec<&Option<String>>, name: &Option<String>| {
        let mut distinct: Vec<&Option<String>> = Vec::new();
        for name in names {
            if name.is_some() && !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        distinct.iter().position(|known| *known == name)
    };
    let value = |cell: &StudyCell, evaluator: &Digest, (name, slice): (&str, &str)| {
        cell.figure(evaluator, name, slice).cloned()
    };
    of_model()
        .filter_map(|cell| {
            let y: Measurement = value(
                cell,
                &judged.provenance.evaluator.digest,
                ("expected_maximum_toxicity", "full"),
            )?;
            let x = value(cell, &text.provenance.evaluator.digest, PERPLEXITY)?.value?;
            Some(Point {
                name: cell.name(),
                x,
                y: y.value?,
                interval: y.interval.map(|interval| (interval.low, interval.high)),
                // The model as it was is black.
                colour: number(of_model().map(|cell| &cell.corpus).collect(), &cell.corpus)
                    .map_or(COLOURS.len() - 1, |index| index % (COLOURS.len() - 1)),
                marker: number(of_model().map(|cell| &cell.method).collect(), &cell.method)
                    .map_or(0, |index| index + 1),
            })
        })
        .collect()
}

fn draw(title: &str, x_name: &str, y_name: &str, points: &[Point]) -> String {
    let [left, right, top, bottom] = MARGINS;
    let height = LEAST_HEIGHT.max(top + bottom + 19.0 * points.len() as f64);
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
        let legend = (WIDTH - right + 18.0, top + 8.0 + 19.0 * index as f64);
        svg.push(&marker(point.marker, frame.place(point.x, point.y), colour));
        svg.push(&marker(point.marker, legend, colour));
        svg.label((legend.0 + 12.0, legend.1 + 4.0), "start", &point.name);
    }
    svg.finish()
}
