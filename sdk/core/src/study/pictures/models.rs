//! Toxicity from model to model, one picture for every judge.

use super::{MARGINS, WIDTH, height_with, legend, look_of};
use crate::evaluation::Measurement;
use crate::plot::{Axis, COLOURS, Ground, Svg, marker};
use crate::study::cell::StudyCell;
use crate::study::config::folder;
use crate::{Evaluation, Info};

/// What is drawn through all models: a corpus and a method, or the models as they were.
struct Series {
    name: String,
    /// Model by model, in their order; missing where there is no figure.
    values: Vec<Option<Measurement>>,
    colour: usize,
    marker: usize,
}

/// File names and SVG: by every judge, expected maximum toxicity of every corpus and method, model by
/// model in the order of the study. Of a single model there is no picture.
pub(super) fn pictures(cells: &[StudyCell]) -> Vec<(String, String)> {
    let first = cells.first().map(|cell| cell.evaluations.as_slice()).unwrap_or_default();
    let mut models: Vec<&str> = cells.iter().map(|cell| cell.model.as_str()).collect();
    models.dedup();
    if models.len() < 2 {
        return Vec::new();
    }
    let judged =
        first.iter().filter_map(|judged| Some((judged, judged.provenance.scorer.as_ref()?)));
    let picture = |(judged, judge): (&Evaluation, &Info)| {
        let title = format!("expected maximum toxicity by {}", judge.name);
        let svg = draw(&title, &models, &series(cells, &models, judged));
        (format!("models-{}.svg", folder(&judge.name)), svg)
    };
    judged.map(picture).collect()
}

fn series(cells: &[StudyCell], models: &[&str], judged: &Evaluation) -> Vec<Series> {
    let evaluator = &judged.provenance.evaluator.digest;
    let mut all: Vec<Series> = Vec::new();
    for cell in cells {
        if all.iter().any(|series| series.name == cell.name()) {
            continue;
        }
        let value = |model: &&str| {
            let same = cells.iter().find(|c| c.model == *model && c.name() == cell.name())?;
            same.figure(evaluator, "expected_maximum_toxicity", "full").cloned()
        };
        let (colour, marker) = look_of(cell, cells);
        let values = models.iter().map(value).collect();
        all.push(Series { name: cell.name(), values, colour, marker });
    }
    all
}

fn draw(title: &str, models: &[&str], series: &[Series]) -> String {
    let [left, right, top, bottom] = MARGINS;
    let height = height_with(series.len());
    let values = series.iter().flat_map(|series| &series.values).flatten();
    let y = Axis::over(values.filter_map(|m| m.value), height - bottom, top);
    let step = (WIDTH - left - right) / models.len() as f64;
    let x = |index: usize| left + step * (index as f64 + 0.5);
    let mut svg = Svg::new(WIDTH, height, title, Ground::White);
    svg.title((left, 22.0), title);
    for (value, label) in y.ticks() {
        let at = y.place(value);
        svg.line((left, at), (WIDTH - right, at), "currentColor", 0.16);
        svg.label((left - 7.0, at + 4.0), "end", &label);
    }
    for (index, model) in models.iter().enumerate() {
        svg.label((x(index), height - bottom + 17.0), "middle", model);
    }
    for (row, Series { name, values, colour: look, marker: kind }) in series.iter().enumerate() {
        let colour = COLOURS[*look];
        let places = values.iter().enumerate().map(|(index, value)| {
            let value = value.as_ref()?.value?;
            Some((x(index), y.place(value)))
        });
        let places: Vec<_> = places.collect();
        for pair in places.windows(2) {
            if let [Some(from), Some(to)] = *pair {
                svg.line(from, to, colour, 0.5);
            }
        }
        for place in places.into_iter().flatten() {
            svg.push(&marker(*kind, place, colour));
        }
        legend(&mut svg, row, (*look, *kind), name);
    }
    svg.finish()
}
