use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use detoxlm_conformance::evaluator;
use detoxlm_core::evaluation::{
    Changes, EvaluationContext, PerplexityEvaluator, PerplexitySettings, TextSet,
};
use detoxlm_core::{Error, ErrorKind, Evaluation, Evaluator, Info, Result, Subject};

use crate::assert_breaks;
use crate::fakes::subject;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    ChangesWhatStays,
    CountsItsCalls,
    FailsOtherwiseWithoutLikelihood,
    IsOfAnotherModel,
    KeepsNothingUsable,
    MeasuresNothingAsZero,
}

#[derive(Debug)]
struct Broken {
    inner: PerplexityEvaluator,
    fault: Fault,
    calls: AtomicU64,
}

#[async_trait]
impl Evaluator for Broken {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation> {
        let mark = context.directory.join("mark");
        if self.fault == Fault::KeepsNothingUsable && mark.is_file() {
            return Err(Error::new(ErrorKind::Io, "broken", "evaluate", "there is something"));
        }
        let evaluation = self.inner.evaluate(subject, context).await;
        let mut evaluation = match evaluation {
            Err(_) if self.fault == Fault::FailsOtherwiseWithoutLikelihood => {
                return Err(Error::new(ErrorKind::Internal, "broken", "evaluate", "no likelihood"));
            }
            other => other?,
        };
        match self.fault {
            Fault::CountsItsCalls => {
                evaluation.measurements[0].n += self.calls.fetch_add(1, Ordering::SeqCst);
            }
            Fault::IsOfAnotherModel => evaluation.provenance.model.version.push('x'),
            Fault::KeepsNothingUsable => fs::write(mark, "").unwrap(),
            Fault::MeasuresNothingAsZero => {
                evaluation.measurements[0].n = 0;
                evaluation.measurements[0].value = Some(0.0);
            }
            Fault::ChangesWhatStays | Fault::FailsOtherwiseWithoutLikelihood => {}
        }
        Ok(evaluation)
    }

    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes> {
        let mut changes = self.inner.changes(base, other).await?;
        if self.fault == Fault::ChangesWhatStays {
            changes.measurements[0].value = Some(0.25);
        }
        Ok(changes)
    }
}

#[tokio::test]
async fn every_fault_breaks_its_sentence() {
    for (fault, sentence) in [
        (Fault::ChangesWhatStays, "from a directory to itself they are 0"),
        (Fault::CountsItsCalls, "give the same measurements"),
        (Fault::FailsOtherwiseWithoutLikelihood, "A subject that lacks what is needed"),
        (Fault::IsOfAnotherModel, "provenance is complete"),
        (Fault::KeepsNothingUsable, "an interrupted evaluation goes on"),
        (Fault::MeasuresNothingAsZero, "never a 0"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let subject = subject(&root.path().join("base")).await;
        let texts = TextSet::new("texts", vec!["Once upon a time".to_owned()]).unwrap();
        let inner = PerplexityEvaluator::new(texts, PerplexitySettings::default()).unwrap();
        let broken = Broken { inner, fault, calls: AtomicU64::new(0) };
        let result = evaluator(&broken, &subject, &root.path().join("work")).await;
        assert_breaks(result, sentence);
    }
}
