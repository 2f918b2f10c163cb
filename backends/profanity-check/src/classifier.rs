//! The formula: from the words of a text to a probability.

use std::collections::HashMap;

use detoxlm_core::{Digest, DigestBuilder, Result};

use crate::weights::{FOLDS, Weights, embedded};
use crate::words::Words;

/// How texts are cut and weights are used: a change of either changes it, and with it the digest.
const FORMULA: &str = "profanity-check 1";

/// A support vector machine's scale, and how it becomes a probability.
#[derive(Debug)]
struct Calibration {
    intercept: f64,
    platt_a: f64,
    platt_b: f64,
}

impl Calibration {
    /// Platt scaling: 1 / (1 + exp(a f + b)), where f is the decision value.
    fn probability(&self, weighted: f64) -> f64 {
        let decision = weighted + self.intercept;
        1.0 / (1.0 + (self.platt_a * decision + self.platt_b).exp())
    }
}

/// The ensemble of calibrated machines.
#[derive(Debug)]
pub(crate) struct Classifier {
    words: Words,
    coefficients: HashMap<String, [f64; FOLDS]>,
    calibrations: [Calibration; FOLDS],
    digest: Digest,
}

impl Classifier {
    pub(crate) fn new() -> Result<Self> {
        let json = embedded()?;
        let mut digest = DigestBuilder::new();
        digest.update(FORMULA).update(&json);
        let Weights { vocabulary, classifiers } = Weights::parse(&json)?;
        let of_word = |word: usize| classifiers.each_ref().map(|fold| fold.coef[word]);
        let coefficients =
            vocabulary.into_iter().enumerate().map(|(at, word)| (word, of_word(at))).collect();
        let calibrations = classifiers.map(|fold| Calibration {
            intercept: fold.intercept,
            platt_a: fold.platt_a,
            platt_b: fold.platt_b,
        });
        Ok(Self { words: Words::new()?, coefficients, calibrations, digest: digest.finish() })
    }

    /// What the probabilities depend on.
    pub(crate) const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The probability, in [0, 1], that a text is offensive: the mean of the calibrated machines, as
    /// scikit-learn's `CalibratedClassifierCV` takes it. Words that are not in the vocabulary do not
    /// count; a text without any known word has the probability of the intercepts.
    pub(crate) fn probability(&self, text: &str) -> f64 {
        let mut weighted = [0.0; FOLDS];
        self.words.each(text, |word| {
            if let Some(coefficients) = self.coefficients.get(word) {
                for (sum, coefficient) in weighted.iter_mut().zip(coefficients) {
                    *sum += coefficient;
                }
            }
        });
        let probabilities = self.calibrations.iter().zip(weighted);
        let sum: f64 = probabilities.map(|(machine, sum)| machine.probability(sum)).sum();
        sum / FOLDS as f64
    }
}
