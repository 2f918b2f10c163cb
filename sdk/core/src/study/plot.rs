//! A study in pictures: toxicity against perplexity, one for every judge and model.

use std::fmt::Write as _;

use super::cell::StudyCell;
use super::config::folder;
use super::report::PERPLEXITY;
use crate::evaluation::Measurement;
use crate::{Digest, Evaluation};

const WIDTH: f64 = 720.0;
/// And more where the legend is long.
const LEAST_HEIGHT: f64 = 420.0;
/// Room for labels at the left, right (the legend), top and bottom.
const MARGINS: [f64; 4] = [64.0, 250.0, 40.0, 52.0];
/// Okabe and Ito (2008), which people with any colour vision can tell apart.
const COLOURS: [&str; 7] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];

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

/// An axis from data to the picture.
struct Axis {
    low: f64,
    high: f64,
    /// Distance of its ticks.
    step: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Holds all values, from tick to tick, with some four ticks.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) =
            values.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        let span = (high - low).max(1e-3 * high.abs().max(1e-3));
        let power = 10_f64.powf((span / 4.0).log10().floor());
        let multiples = [1.0, 2.0, 5.0, 10.0];
        let step = multiples.map(|m| m * power).into_iter().find(|step| span / step <= 5.0);
        let step = step.unwrap_or(10.0 * power);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(move |index| {
            let value = self.low + index as f64 * self.step;
            (value, format!("{value:.decimals$}"))
        })
    }
}

fn draw(title: &str, x_label: &str, y_label: &str, points: &[Point]) -> String {
    let [left, right, top, bottom] = MARGINS;
    let height = LEAST_HEIGHT.max(top + bottom + 19.0 * points.len() as f64);
    let x = Axis::over(points.iter().map(|point| point.x), left, WIDTH - right);
    let ends = points.iter().flat_map(|point| {
        let (low, high) = point.interval.unwrap_or((point.y, point.y));
        [low, high]
    });
    let y = Axis::over(ends, height - bottom, top);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"22\" font-size=\"15\">{}</text>\n",
        escaped(title)
    );
    for (value, label) in x.ticks() {
        let at = x.place(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{0:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{1:.1}\" text-anchor=\"middle\">{label}</text>",
            height - bottom,
            height - bottom + 17.0,
        );
    }
    for (value, label) in y.ticks() {
        let at = y.place(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{0:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{1:.1}\" y=\"{2:.1}\" text-anchor=\"end\">{label}</text>",
            WIDTH - right,
            left - 7.0,
            at + 4.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(16 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        (left + WIDTH - right) / 2.0,
        height - 12.0,
        escaped(x_label),
        (top + height - bottom) / 2.0,
        escaped(y_label),
    );
    for (index, point) in points.iter().enumerate() {
        let (cx, cy, colour) = (x.place(point.x), y.place(point.y), COLOURS[point.colour]);
        if let Some((low, high)) = point.interval {
            let _ = writeln!(
                svg,
                "<line x1=\"{cx:.1}\" y1=\"{:.1}\" x2=\"{cx:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
                 opacity=\"0.5\"/>",
                y.place(low),
                y.place(high),
            );
        }
        let legend = (WIDTH - right + 18.0, top + 8.0 + 19.0 * index as f64);
        let _ = writeln!(
            svg,
            "{}{}<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            marker(point.marker, cx, cy, colour),
            marker(point.marker, legend.0, legend.1, colour),
            legend.0 + 12.0,
            legend.1 + 4.0,
            escaped(&point.name),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A disc, a square, a triangle, a diamond, a ring; then again.
fn marker(number: usize, x: f64, y: f64, colour: &str) -> String {
    match number % 5 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>"),
        1 => format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"{colour}\"/>",
            x - 4.5,
            y - 4.5
        ),
        2 => format!("<path d=\"M{x:.1} {:.1}l5.5 9.5h-11z\" fill=\"{colour}\"/>", y - 6.0),
        3 => format!("<path d=\"M{x:.1} {:.1}l6 6l-6 6l-6 -6z\" fill=\"{colour}\"/>", y - 6.0),
        _ => format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"none\" stroke=\"{colour}\" \
             stroke-width=\"2\"/>"
        ),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
