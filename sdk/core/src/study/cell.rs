use serde::{Deserialize, Serialize};

use crate::evaluation::{Changes, Measurement};
use crate::{Digest, Evaluation};

/// What was trained how on what, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyCell {
    /// The model's name.
    pub model: String,
    /// The corpus' name; `None` for the model as it was.
    pub corpus: Option<String>,
    /// The method's name; `None` for the model as it was.
    pub method: Option<String>,
    /// What training took; `None` for the model as it was.
    pub training: Option<StudyTraining>,
    /// Every evaluator's figures.
    pub evaluations: Vec<Evaluation>,
    /// How they differ from those of the model as it was.
    pub changes: Vec<Changes>,
}

/// What a cell's training took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyTraining {
    /// Tokens trained on.
    pub tokens: u64,
    /// Parameters that were trained.
    pub trainable_parameters: u64,
    /// Parameters of the whole.
    pub total_parameters: u64,
    /// Wall time in seconds; `None` when it was interrupted.
    pub seconds: Option<f64>,
}

impl StudyCell {
    /// The evaluators that judged, by what the tables call them, and their digests.
    pub(super) fn evaluators(&self) -> impl Iterator<Item = (&Evaluation, &Digest)> {
        self.evaluations
            .iter()
            .map(|evaluation| (evaluation, &evaluation.provenance.evaluator.digest))
    }

    /// A figure of one evaluator.
    pub(super) fn figure(
        &self,
        evaluator: &Digest,
        name: &str,
        slice: &str,
    ) -> Option<&Measurement> {
        let (evaluation, _) = self.evaluators().find(|(_, digest)| *digest == evaluator)?;
        evaluation.get(name, slice)
    }

    /// What it is called: `SGEAT, lora`, or `as it was`.
    pub(super) fn name(&self) -> String {
        match (&self.corpus, &self.method) {
            (Some(corpus), Some(method)) => format!("{corpus}, {method}"),
            _ => "as it was".to_owned(),
        }
    }
}
