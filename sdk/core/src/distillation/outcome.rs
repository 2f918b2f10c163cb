use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::evaluation::{pearson, roc_auc};
use crate::{Attribute, Scores};

/// From here on a value counts as a yes.
const THRESHOLD: f64 = 0.5;

/// How a trained classifier does on one attribute of texts that it was not trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeFigures {
    /// Which.
    pub attribute: Attribute,
    /// Texts that have a value.
    pub texts: usize,
    /// Those of them with a value of at least 0.5.
    pub positives: usize,
    /// The area under the ROC curve, positives against the others.
    pub auc: Option<f64>,
    /// Pearson's correlation of the classifier's values with the held-out ones.
    pub pearson: Option<f64>,
}

/// Values of held-out texts, and what the classifier makes of the texts.
#[derive(Clone, Debug, Default)]
pub struct HeldOutScores(BTreeMap<Attribute, Vec<(f64, f64)>>);

impl HeldOutScores {
    /// Adds a text. Attributes that either side lacks do not count.
    pub fn add(&mut self, reference: &Scores, classifier: &Scores) {
        for (attribute, value) in reference.iter() {
            if let Some(ours) = classifier.get(attribute) {
                let pairs = self.0.entry(attribute.clone()).or_default();
                pairs.push((f64::from(ours), f64::from(value)));
            }
        }
    }

    /// The figures of each of `attributes`.
    #[must_use]
    pub fn figures(&self, attributes: &[Attribute]) -> Vec<AttributeFigures> {
        attributes.iter().map(|attribute| self.figures_of(attribute)).collect()
    }

    fn figures_of(&self, attribute: &Attribute) -> AttributeFigures {
        let pairs = self.0.get(attribute).map_or(&[][..], Vec::as_slice);
        let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let of = |wanted: bool| -> Vec<f64> {
            let wanted = |&&(_, theirs): &&(f64, f64)| (theirs >= THRESHOLD) == wanted;
            pairs.iter().filter(wanted).map(|&(ours, _)| ours).collect()
        };
        let positives = of(true);
        AttributeFigures {
            attribute: attribute.clone(),
            texts: pairs.len(),
            positives: positives.len(),
            auc: roc_auc(&positives, &of(false)),
            pearson: pearson(&ours, &theirs),
        }
    }
}

/// What a distillation left behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistillationOutcome {
    /// The classifier's directory.
    pub model: PathBuf,
    /// Rows that were trained on, by source.
    pub rows: BTreeMap<String, usize>,
    /// Texts of the scale that were kept out and measured on.
    pub held_out: usize,
    /// Optimiser steps of its networks in all, earlier sittings included.
    pub steps: u64,
    /// Weights of the classifier, without what is thrown away.
    pub parameters: u64,
    /// Weighted cross-entropy of the last step, in nats; the mean over its networks.
    pub final_loss: f64,
    /// How it does on the held-out texts; empty when none were held out.
    pub figures: Vec<AttributeFigures>,
}
