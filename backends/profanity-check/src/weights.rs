//! The published weights, as they are embedded.

use std::io::Read as _;

use detoxlm_core::{Error, ErrorKind, Result};
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::COMPONENT;

/// `vectorizer.joblib` and `model.joblib` of release 1.0.3 as JSON, coefficients rounded to six
/// decimals.
const EMBEDDED: &[u8] = include_bytes!("../data/profanity_check.json.gz");

/// Classifiers in the ensemble: one for each fold of the cross-validation that calibrated them.
pub(crate) const FOLDS: usize = 5;

/// What the file holds, apart from its stop words: none of them is in the vocabulary.
#[derive(Debug, Deserialize)]
pub(crate) struct Weights {
    pub(crate) vocabulary: Vec<String>,
    pub(crate) classifiers: [Fold; FOLDS],
}

/// A linear support vector machine with its calibration.
#[derive(Debug, Deserialize)]
pub(crate) struct Fold {
    /// One for each word of the vocabulary.
    pub(crate) coef: Vec<f64>,
    pub(crate) intercept: f64,
    pub(crate) platt_a: f64,
    pub(crate) platt_b: f64,
}

/// The text of the embedded file.
pub(crate) fn embedded() -> Result<Vec<u8>> {
    let mut json = Vec::new();
    GzDecoder::new(EMBEDDED).read_to_end(&mut json).map_err(|e| damaged(e.to_string()))?;
    Ok(json)
}

impl Weights {
    /// Reads weights and checks that their parts fit each other.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        let weights: Self = serde_json::from_slice(json).map_err(|e| damaged(e.to_string()))?;
        let words = weights.vocabulary.len();
        match weights.classifiers.iter().find(|fold| fold.coef.len() != words) {
            Some(fold) => Err(damaged(format!("{} weights for {words} words", fold.coef.len()))),
            None => Ok(weights),
        }
    }
}

fn damaged(message: String) -> Error {
    Error::new(ErrorKind::Internal, COMPONENT, "read the embedded weights", message)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn stop_words_need_no_dropping() {
        #[derive(Deserialize)]
        struct StopWords {
            stop_words: HashSet<String>,
        }
        let json = embedded().unwrap();
        let weights = Weights::parse(&json).unwrap();
        let StopWords { stop_words } = serde_json::from_slice(&json).unwrap();
        assert_eq!((weights.vocabulary.len(), stop_words.len()), (15_442, 318));
        assert!(!weights.vocabulary.iter().any(|word| stop_words.contains(word)));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let fold = r#"{"coef": [0.5], "intercept": 0.0, "platt_a": -1.0, "platt_b": 0.0}"#;
        let file = |words: &str, folds: usize| {
            let folds = vec![fold; folds].join(",");
            format!(r#"{{"vocabulary": [{words}], "classifiers": [{folds}]}}"#)
        };
        let parse = |text: String| Weights::parse(text.as_bytes());
        assert!(parse(file(r#""word""#, FOLDS)).is_ok());
        let error = parse(file(r#""two", "words""#, FOLDS)).unwrap_err();
        assert_eq!(error.message(), "1 weights for 2 words");
        assert!(parse(file(r#""word""#, FOLDS - 1)).is_err());
    }
}
