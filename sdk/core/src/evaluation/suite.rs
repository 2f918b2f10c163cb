use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Changes, Evaluation, EvaluationContext, Evaluator, Subject};
use crate::{Event, Info, Observer, Result, Silent};

/// Evaluators that measure models one after the other, each in a folder of its own.
///
/// What several of them need, such as a model's continuations for more than one judge, is made once and
/// kept beside the folders.
#[derive(Clone, Debug)]
pub struct Suite {
    evaluators: Vec<Arc<dyn Evaluator>>,
    shared: PathBuf,
    observer: Arc<dyn Observer>,
}

impl Suite {
    /// A suite that keeps what evaluators share in the directory `shared`.
    #[must_use]
    pub fn new(evaluators: Vec<Arc<dyn Evaluator>>, shared: impl Into<PathBuf>) -> Self {
        Self { evaluators, shared: shared.into(), observer: Arc::new(Silent) }
    }

    /// Tells `observer` about progress.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Measures a subject; evaluations go into folders of `directory`. What is there and complete is used,
    /// not made again.
    ///
    /// # Errors
    /// Those of the evaluators. What was measured before one fails is kept.
    pub async fn evaluate(&self, subject: &Subject, directory: &Path) -> Result<Vec<Evaluation>> {
        let mut evaluations = Vec::with_capacity(self.evaluators.len());
        for (number, evaluator) in (1..).zip(&self.evaluators) {
            let (name, total) = (&evaluator.info().name, self.evaluators.len() as u64);
            if total > 1 {
                self.observer.observe(&Event::PartStarted { name, number, total });
            }
            let context = EvaluationContext {
                directory: directory.join(evaluation_folder(evaluator.info())),
                shared: Some(self.shared.clone()),
                observer: Arc::clone(&self.observer),
            };
            evaluations.push(evaluator.evaluate(subject, &context).await?);
        }
        Ok(evaluations)
    }

    /// What changed from the subject that was measured in `base` to the one in `other`.
    ///
    /// # Errors
    /// Those of the evaluators.
    pub async fn changes(&self, base: &Path, other: &Path) -> Result<Vec<Changes>> {
        let mut changes = Vec::with_capacity(self.evaluators.len());
        for evaluator in &self.evaluators {
            let [base, other] =
                [base, other].map(|directory| directory.join(evaluation_folder(evaluator.info())));
            changes.push(evaluator.changes(&base, &other).await?);
        }
        Ok(changes)
    }
}

/// The folder of an evaluator among others of one model. Two judges share a name, but not a digest.
pub(crate) fn evaluation_folder(evaluator: &Info) -> String {
    format!("{}-{}", evaluator.name.replace(' ', "-"), evaluator.digest.short())
}
