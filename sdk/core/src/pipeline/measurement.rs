//! Evaluators, each in a folder of its own beside those of other models.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::evaluation::{Changes, EvaluationContext};
use crate::{Evaluation, Evaluator, Info, Observer, Result, Subject};

/// What is measured, and where it is kept.
pub(crate) struct Measurement<'a> {
    pub(crate) evaluators: &'a [Arc<dyn Evaluator>],
    /// For what several evaluations of one model need.
    pub(crate) shared: PathBuf,
    pub(crate) observer: &'a Arc<dyn Observer>,
}

impl Measurement<'_> {
    /// Measures a subject in a directory of its own.
    pub(crate) async fn of(&self, subject: &Subject, directory: &Path) -> Result<Vec<Evaluation>> {
        let mut evaluations = Vec::with_capacity(self.evaluators.len());
        for evaluator in self.evaluators {
            let context = EvaluationContext {
                directory: directory.join(folder(evaluator.info())),
                shared: Some(self.shared.clone()),
                observer: Arc::clone(self.observer),
            };
            evaluations.push(evaluator.evaluate(subject, &context).await?);
        }
        Ok(evaluations)
    }

    /// What changed from one directory's subject to the other's.
    pub(crate) async fn changes(&self, base: &Path, other: &Path) -> Result<Vec<Changes>> {
        let mut changes = Vec::with_capacity(self.evaluators.len());
        for evaluator in self.evaluators {
            let [base, other] =
                [base, other].map(|directory| directory.join(folder(evaluator.info())));
            changes.push(evaluator.changes(&base, &other).await?);
        }
        Ok(changes)
    }
}

/// Two judges share a name, but not a digest.
fn folder(evaluator: &Info) -> String {
    format!("{}-{}", evaluator.name, evaluator.digest.short())
}
