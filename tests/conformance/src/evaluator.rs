//! The suite of [`Evaluator`].

use std::path::Path;
use std::sync::Arc;

use detoxlm_core::evaluation::EvaluationContext;
use detoxlm_core::{ErrorKind, Evaluation, Evaluator, Silent, Subject};

use crate::patience::begin_and_drop;
use crate::{Clause, Violation};

clauses! { "Evaluator":
    SAME = "The same subject, data and settings give the same measurements.";
    PROVENANCE = "Every number's provenance is complete";
    NEVER_ZERO = "What cannot be measured is a measurement without a value, never a 0.";
    KEPT = "Work done is kept in the context's directory, so that an interrupted evaluation goes on.";
    UNSUPPORTED = "A subject that lacks what is needed (likelihood) is `ErrorKind::Unsupported`.";
    CHANGES = "from a directory to itself they are 0";
}

/// Checks an evaluator on a subject, a few times over, in `directory`, which should be empty and may
/// be thrown away.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn evaluator(
    evaluator: &dyn Evaluator,
    subject: &Subject,
    directory: &Path,
) -> Result<(), Violation> {
    let first = evaluate(SAME, evaluator, subject, &directory.join("first")).await?;
    measurements(&first)?;
    provenance(evaluator, subject, &first)?;
    let elsewhere = evaluate(SAME, evaluator, subject, &directory.join("second")).await?;
    SAME.same("in another directory", &elsewhere, &first)?;
    let again = evaluate(KEPT, evaluator, subject, &directory.join("first")).await?;
    KEPT.same("in the same directory again", &again, &first)?;
    changes(evaluator, &first, directory).await?;

    let dropped = directory.join("dropped");
    let context = context(&dropped);
    begin_and_drop(evaluator.evaluate(subject, &context)).await;
    let continued = evaluate(KEPT, evaluator, subject, &dropped).await?;
    KEPT.same("after an interruption", &continued, &first)?;

    let silent = Subject { likelihood: None, ..subject.clone() };
    let context = self::context(&directory.join("no-likelihood"));
    match evaluator.evaluate(&silent, &context).await {
        Ok(without) => UNSUPPORTED.same("without a likelihood", &without, &first),
        Err(error) => UNSUPPORTED.require(error.kind() == ErrorKind::Unsupported, || {
            format!("without a likelihood: {:?}: {error}", error.kind())
        }),
    }
}

fn context(directory: &Path) -> EvaluationContext {
    EvaluationContext {
        directory: directory.to_path_buf(),
        shared: None,
        observer: Arc::new(Silent),
    }
}

async fn evaluate(
    clause: Clause,
    evaluator: &dyn Evaluator,
    subject: &Subject,
    directory: &Path,
) -> Result<Evaluation, Violation> {
    let evaluation = evaluator.evaluate(subject, &context(directory)).await;
    clause.answered(&format!("in {}", directory.display()), evaluation)
}

fn measurements(evaluation: &Evaluation) -> Result<(), Violation> {
    NEVER_ZERO.require(!evaluation.measurements.is_empty(), || "nothing at all".to_owned())?;
    for measurement in &evaluation.measurements {
        let is_number = measurement.value.is_none_or(f64::is_finite);
        let is_of_something = measurement.n > 0 || measurement.value.is_none();
        NEVER_ZERO.require(is_number && is_of_something, || format!("{measurement:?}"))?;
        let Some(interval) = measurement.interval else { continue };
        NEVER_ZERO.require(measurement.value.is_some() && interval.low <= interval.high, || {
            format!("an interval around nothing: {measurement:?}")
        })?;
    }
    Ok(())
}

/// Two evaluations of one model in two directories.
async fn changes(
    evaluator: &dyn Evaluator,
    evaluation: &Evaluation,
    directory: &Path,
) -> Result<(), Violation> {
    let there = evaluator.changes(&directory.join("first"), &directory.join("second")).await;
    let there = CHANGES.answered("between equal evaluations", there)?;
    CHANGES.same("the evaluator", &&there.evaluator, &evaluator.info())?;
    for change in &there.measurements {
        let number = evaluation.get(&change.name, &change.slice);
        CHANGES.require(number.is_some(), || format!("a change of nothing: {change:?}"))?;
        let is_measured = number.is_some_and(|number| number.value.is_some());
        CHANGES.same("between equal evaluations", &change.value, &is_measured.then_some(0.0))?;
    }
    Ok(())
}

fn provenance(
    evaluator: &dyn Evaluator,
    subject: &Subject,
    evaluation: &Evaluation,
) -> Result<(), Violation> {
    let provenance = &evaluation.provenance;
    PROVENANCE.same("the subject's name", &evaluation.subject, &subject.name)?;
    PROVENANCE.same("the evaluator", &&provenance.evaluator, &evaluator.info())?;
    PROVENANCE.same("the model", &&provenance.model, &subject.generator.info())?;
    PROVENANCE.require(!provenance.settings.is_empty(), || "it has no settings".to_owned())
}
