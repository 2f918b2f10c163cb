//! The suite of [`Trainer`].

mod interruption;
mod place;

use std::path::Path;
use std::sync::Arc;

use detoxlm_core::ErrorKind;
use detoxlm_core::training::{Decay, LearningRate, Method, Trainer, TrainingJob, TrainingOutcome};

use crate::snapshot::{differing, files};
use crate::{Clause, Violation};
use interruption::{Interrupter, Sitting};
use place::{Place, STEPS};

clauses! { "Trainer":
    WHOLE = "The job's output directory appears whole or not at all, and never before training is complete.";
    IN_WORK = "Checkpoints go into the job's work directory.";
    GOES_ON = "After an interruption at any moment the same job goes on from the last one, and ends in the same bytes as without the interruption, on the same device.";
    ONCE = "A job whose output is complete is not trained again: its outcome is returned.";
    OTHER_JOB = "A work directory of another job is refused, naming what differs.";
    DIVERGED = "A loss or gradient that is not finite stops the training (`ErrorKind::Diverged`), names the step, and keeps the last checkpoint.";
    OWN_THREADS = "Computation runs on threads that the implementation owns";
    DROPPED = "dropping the future stops it after the current step";
}

/// Checks a trainer: trains `base`, a model directory that it can read, by `method` for a handful of
/// short steps, several times, in `directory`, which should be empty and may be thrown away.
///
/// Interruptions are made at the steps of which the observer hears; a trainer that tells of none is
/// only interrupted at its beginning.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn trainer(
    trainer: &dyn Trainer,
    method: &Method,
    base: &Path,
    directory: &Path,
) -> Result<(), Violation> {
    let place = Place::new(base, method, directory)?;
    let whole = place.job("whole");
    let outcome = uninterrupted(trainer, &whole).await?;
    repeated(trainer, &whole, &outcome).await?;
    other_jobs(trainer, &whole).await?;
    interrupted(trainer, &place, &whole, &outcome).await?;
    diverging(trainer, &place).await
}

async fn uninterrupted(
    trainer: &dyn Trainer,
    job: &TrainingJob,
) -> Result<TrainingOutcome, Violation> {
    let observer = Interrupter::listening(job.output.clone());
    let outcome = trainer.train(job, Arc::clone(&observer) as _).await;
    let outcome = WHOLE.answered("a small job", outcome)?;
    let sitting = observer.sitting();
    sitting.check()?;
    GOES_ON.require(
        sitting.steps.is_empty() || sitting.steps == (1..=STEPS).collect::<Vec<_>>(),
        || format!("the steps of a job of {STEPS} are {:?}", sitting.steps),
    )?;
    let result = (outcome.steps, &outcome.model);
    WHOLE.same("steps and model of the outcome", &result, &(STEPS, &job.output))?;
    WHOLE.require(!content(WHOLE, &job.output)?.is_empty(), || "it is empty".to_owned())?;
    IN_WORK.require(!content(IN_WORK, &job.work)?.is_empty(), || "it is empty".to_owned())?;
    Ok(outcome)
}

async fn repeated(
    trainer: &dyn Trainer,
    job: &TrainingJob,
    outcome: &TrainingOutcome,
) -> Result<(), Violation> {
    let before = content(ONCE, &job.output)?;
    let observer = Interrupter::listening(job.output.clone());
    let again = trainer.train(job, Arc::clone(&observer) as _).await;
    ONCE.same("the outcome", &ONCE.answered("a complete job", again)?, outcome)?;
    let steps = observer.sitting().steps;
    ONCE.require(steps.is_empty(), || format!("steps {steps:?} were taken again"))?;
    let changed = differing(&content(ONCE, &job.output)?, &before);
    ONCE.require(changed.is_empty(), || format!("{changed:?} changed"))
}

async fn other_jobs(trainer: &dyn Trainer, job: &TrainingJob) -> Result<(), Violation> {
    let before = content(OTHER_JOB, &job.output)?;
    let seeded = TrainingJob { seed: job.seed + 1, ..job.clone() };
    let mut batched = job.clone();
    batched.config.batch_size += 1;
    for (key, other) in [("seed", seeded), ("batch_size", batched)] {
        let result = trainer.train(&other, Interrupter::listening(job.output.clone())).await;
        let error = OTHER_JOB.refused(&format!("another {key}"), result)?;
        OTHER_JOB.require(error.to_string().contains(key), || {
            format!("`{key}` differs, and is not named: {error}")
        })?;
    }
    let changed = differing(&content(OTHER_JOB, &job.output)?, &before);
    OTHER_JOB.require(changed.is_empty(), || format!("{changed:?} changed"))
}

/// Stops a job between steps, again and again, and compares its end with the uninterrupted one.
async fn interrupted(
    trainer: &dyn Trainer,
    place: &Place,
    whole: &TrainingJob,
    outcome: &TrainingOutcome,
) -> Result<(), Violation> {
    let job = place.job("parts");
    let every = job.config.checkpoint_every;
    let mut reached = 0;
    let mut dropped = Vec::new();
    for stop in [1, 3, 4, STEPS] {
        let observer = Interrupter::stopping(job.output.clone(), stop);
        let training = trainer.train(&job, Arc::clone(&observer) as _);
        if let Some(result) = observer.until_stopped(training).await {
            GOES_ON.answered("a sitting", result)?;
        }
        let sitting = observer.sitting();
        sitting.check()?;
        goes_on(&sitting, reached, every)?;
        reached = sitting.steps.last().copied().unwrap_or(reached);
        dropped.push((stop, observer));
    }
    let observer = Interrupter::listening(job.output.clone());
    let end = trainer.train(&job, Arc::clone(&observer) as _).await;
    let end = GOES_ON.answered("going on", end)?;
    // Only now: a sitting that was not stopped may have taken its further steps at any time.
    for (stop, observer) in dropped {
        let steps = observer.sitting().steps;
        DROPPED.require(steps.iter().all(|&step| step <= stop + 1), || {
            format!("dropped at step {stop}, it took steps {steps:?}")
        })?;
    }
    let sitting = observer.sitting();
    sitting.check()?;
    goes_on(&sitting, reached, every)?;
    let end = TrainingOutcome { model: outcome.model.clone(), ..end };
    GOES_ON.same("the outcome after interruptions", &end, outcome)?;
    let changed = differing(&content(GOES_ON, &job.output)?, &content(GOES_ON, &whole.output)?);
    GOES_ON.require(changed.is_empty(), || format!("{changed:?} differ after interruptions"))
}

/// A sitting takes up from the last checkpoint, not from the beginning.
fn goes_on(sitting: &Sitting, reached: u64, every: u64) -> Result<(), Violation> {
    let Some(&first) = sitting.steps.first() else { return Ok(()) };
    // The last step's own checkpoint is written after the observer hears of it.
    let kept = reached.saturating_sub(1) / every * every;
    GOES_ON.require(first > kept, || {
        format!(
            "after step {reached}, with a checkpoint of step {kept}, it took step {first} again"
        )
    })
}

/// A learning rate that is 0 in the first step and impossible ever after: the second update leaves no
/// weight finite.
async fn diverging(trainer: &dyn Trainer, place: &Place) -> Result<(), Violation> {
    let mut job = place.job("diverging");
    job.config.learning_rate =
        LearningRate { peak: 0.0, warmup_steps: 1, decay: Decay::Linear, floor: 1e300 };
    job.config.checkpoint_every = 1;
    let mut steps = Vec::new();
    for sitting in ["a learning rate near 1e300", "the same once more"] {
        let observer = Interrupter::listening(job.output.clone());
        let result = trainer.train(&job, Arc::clone(&observer) as _).await;
        let error = DIVERGED.refused(sitting, result)?;
        DIVERGED.require(error.kind() == ErrorKind::Diverged, || {
            format!("{sitting}: {:?}: {error}", error.kind())
        })?;
        DIVERGED.require(error.to_string().contains("step"), || {
            format!("{sitting}: no step is named: {error}")
        })?;
        DIVERGED.require(!job.output.exists(), || format!("{sitting}: the output is there"))?;
        steps = observer.sitting().steps;
    }
    // The first step was sound, and its checkpoint must have outlived the second.
    DIVERGED.require(steps.iter().all(|&step| step > 1), || {
        format!("step 1 had a checkpoint, and {steps:?} were taken again")
    })
}

type Files = std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>;

fn content(clause: Clause, directory: &Path) -> Result<Files, Violation> {
    files(directory)
        .map_err(|error| clause.broken(format!("cannot read {}: {error}", directory.display())))
}
