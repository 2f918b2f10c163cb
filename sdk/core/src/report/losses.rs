//! How a training went.

use std::path::Path;

use serde::Deserialize;

use super::Picture;
use crate::Result;
use crate::corpus::JsonlReader;
use crate::plot::{Ground, Line, line_chart};

/// More points than these are no finer on any screen.
const MOST_POINTS: usize = 600;
const FEW: usize = 40;

/// What matters of a row of `metrics.jsonl`, of a step or of a measurement on held-out text.
#[derive(Debug, Deserialize)]
struct Row {
    step: u64,
    #[serde(default)]
    loss: Option<f64>,
    #[serde(default)]
    validation_loss: Option<f64>,
}

/// Points of which neighbours are averaged when they become too many: memory does not grow with them.
#[derive(Debug)]
struct Thinned {
    points: Vec<(f64, f64)>,
    /// How many values a point is the mean of.
    width: usize,
    /// Sums of the point that is not full yet, and how many they are of.
    open: (f64, f64, usize),
}

impl Thinned {
    const fn new() -> Self {
        Self { points: Vec::new(), width: 1, open: (0.0, 0.0, 0) }
    }

    fn push(&mut self, x: f64, y: f64) {
        self.open = (self.open.0 + x, self.open.1 + y, self.open.2 + 1);
        if self.open.2 < self.width {
            return;
        }
        self.points.push(self.open_point());
        self.open = (0.0, 0.0, 0);
        if self.points.len() >= MOST_POINTS {
            self.points = self
                .points
                .chunks(2)
                .map(|pair| {
                    let count = pair.len() as f64;
                    let sums = pair.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
                    (sums.0 / count, sums.1 / count)
                })
                .collect();
            self.width *= 2;
        }
    }

    fn open_point(&self) -> (f64, f64) {
        let (x, y, count) = self.open;
        (x / count as f64, y / count as f64)
    }

    fn finish(mut self) -> Vec<(f64, f64)> {
        if self.open.2 > 0 {
            self.points.push(self.open_point());
        }
        self.points
    }
}

/// The losses in a `metrics.jsonl`; `None` where there is no such file, or nothing in it.
///
/// # Errors
/// When a row cannot be read.
pub(super) fn picture(metrics: &Path) -> Result<Option<Picture>> {
    if !metrics.is_file() {
        return Ok(None);
    }
    let (mut training, mut validation) = (Thinned::new(), Thinned::new());
    for row in JsonlReader::<Row>::open(metrics)? {
        let Row { step, loss, validation_loss } = row?;
        if let Some(loss) = loss.filter(|loss| loss.is_finite()) {
            training.push(step as f64, loss);
        }
        if let Some(loss) = validation_loss.filter(|loss| loss.is_finite()) {
            validation.push(step as f64, loss);
        }
    }
    let (training, validation) = (training.finish(), validation.finish());
    let mut lines = Vec::new();
    if !training.is_empty() {
        lines.push(Line { name: "text it trains on", points: &training, is_marked: false });
    }
    if !validation.is_empty() {
        let is_marked = validation.len() <= FEW;
        lines.push(Line { name: "held-out text", points: &validation, is_marked });
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let title = "Loss during training";
    let svg = line_chart(title, ("step", "loss, nats per token"), &lines, Ground::Page);
    let caption = format!(
        "{title}: the mean next-token loss of each step{}. On held-out text it should not rise far: \
         then the model forgets more than it learns.",
        if validation.is_empty() { "" } else { ", and on held-out text" }
    );
    Ok(Some(Picture { svg, caption }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_become_few_that_mean_the_same() {
        let mut thinned = Thinned::new();
        let count = 10 * MOST_POINTS + 3;
        for step in 1..=count {
            thinned.push(step as f64, 2.0);
        }
        let points = thinned.finish();
        assert!(points.len() <= MOST_POINTS && points.len() > MOST_POINTS / 3, "{}", points.len());
        assert!(points.iter().all(|point| (point.1 - 2.0).abs() < 1e-12));
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
        assert!(points.last().unwrap().0 <= count as f64);
    }

    #[test]
    fn both_kinds_of_rows_are_drawn_and_without_a_file_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        assert_eq!(picture(&path).unwrap(), None);
        std::fs::write(
            &path,
            "{\"step\":0,\"validation_loss\":3.5,\"validation_tokens\":9}\n\
             {\"step\":1,\"loss\":3.0,\"tokens\":8}\n{\"step\":2,\"loss\":2.5,\"tokens\":16}\n",
        )
        .unwrap();
        let svg = picture(&path).unwrap().unwrap().svg;
        assert_eq!(svg.matches("<polyline").count(), 2);
        std::fs::write(&path, "{\"step\":\"x\"}\n").unwrap();
        assert_eq!(picture(&path).unwrap_err().line_number(), Some(1));
    }
}
