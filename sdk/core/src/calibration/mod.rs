//! From one scorer's scale to another's: fitting a map, and how well values mean what they say.
//!
//! A calibrated value is a probability: of the texts with a value of 0.7, seven in ten are toxic.
//! Targets may be labels (0 or 1) or another scorer's values in between.

mod fit;
mod isotonic;
mod logistic;
mod picture;
mod quality;
mod table;
#[cfg(test)]
mod tests;

pub use fit::{Evidence, Fit, FitSettings, MapKind, Quality, fit_and_measure};
pub use isotonic::fit_isotonic;
pub use logistic::fit_logistic;
pub use quality::{ReliabilityBin, brier_score, expected_calibration_error, reliability, spearman};

use crate::{Error, ErrorKind, Result};

/// A scorer's value and what it should have been, both in [0, 1].
pub type Pair = (f64, f64);

/// That there is something to fit to.
fn check(pairs: &[Pair]) -> Result<()> {
    let refuse = |message: &'static str| {
        Err(Error::new(ErrorKind::InvalidInput, "calibration", "fit a map", message))
    };
    if pairs.is_empty() {
        return refuse("there are no pairs of value and target");
    }
    let in_range = |value: f64| (0.0..=1.0).contains(&value);
    if !pairs.iter().all(|&(value, target)| in_range(value) && in_range(target)) {
        return refuse("a value or target is not in [0, 1]");
    }
    Ok(())
}
