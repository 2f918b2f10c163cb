//! Scores toxicity by the words of a text, as the classifier `profanity-check` does: a detoxlm plugin.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod hash;
mod scale;
mod tables;

use detoxlm_guest::{NoSettings, Plugin, Sample, SettingsError, Verdict};

use scale::{FOLDS, SCALES};
use tables::{coefficients, is_word};

/// The plugin.
#[derive(Debug)]
pub struct LinearToxicity;

impl Plugin<1> for LinearToxicity {
    const NAME: &'static str = "linear-toxicity";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "The probability that a text is profane or offensive, by its words: profanity-check 1.0.3.";
    const ATTRIBUTES: [&'static str; 1] = ["TOXICITY"];
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, SettingsError> {
        Ok(Self)
    }

    fn judge(&self, sample: Sample<'_>) -> Verdict<1> {
        Verdict::Scores([probability(sample.text) as f32])
    }
}

/// The mean of the calibrated machines. Words that are not in the vocabulary do not count, and all of
/// its words have two characters and more, as the published tokenization wants.
fn probability(text: &str) -> f64 {
    let mut millionths = [0_i64; FOLDS];
    let text = text.to_lowercase();
    for coefficients in text.split(|c| !is_word(c)).filter_map(coefficients) {
        for (sum, coefficient) in millionths.iter_mut().zip(coefficients) {
            *sum += i64::from(coefficient);
        }
    }
    let probabilities = SCALES.iter().zip(millionths).map(|(scale, sum)| scale.probability(sum));
    probabilities.sum::<f64>() / FOLDS as f64
}

detoxlm_guest::export!(LinearToxicity);
