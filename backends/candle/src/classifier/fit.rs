//! The training loop, which goes on where an earlier sitting ended.

use std::fs;
use std::path::{Path, PathBuf};

use detoxlm_core::distillation::DistillationConfig;
use detoxlm_core::files::{create_directory, create_directory_atomically};
use detoxlm_core::training::{Decay, LearningRate};
use detoxlm_core::{Cancellation, Error, Event, Observer, Result, Stage};

use super::batches::Batches;
use super::examples::Examples;
use super::initial::initial_values;
use super::network::Sizes;
use super::trainee::Trainee;
use crate::error::{COMPONENT, internal};

const OPERATION: &str = "train a classifier";
const PREFIX: &str = "checkpoint-";
/// The newest, and the one before it.
const KEPT: usize = 2;

/// Steps over which the learning rate rises, at most and as a share of all.
const WARMUP_STEPS: u64 = 200;
const WARMUP_SHARE: u64 = 10;
/// What is left of the learning rate at the end.
const FLOOR: f64 = 0.02;

/// What is the same for every network of a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct School<'a> {
    pub(super) sizes: &'a Sizes,
    pub(super) vectors: &'a [f32],
    /// Sources that are not on the scale.
    pub(super) others: usize,
    pub(super) config: &'a DistillationConfig,
    pub(super) cancellation: &'a Cancellation,
    pub(super) observer: &'a dyn Observer,
}

impl School<'_> {
    /// A network trained on all examples, with its checkpoints in `work`.
    pub(super) fn train(&self, examples: &Examples, work: &Path, seed: u64) -> Result<Trainee> {
        create_directory(work)?;
        let values = initial_values(self.sizes, self.vectors.to_vec(), seed);
        let mut trainee = Trainee::new(self.sizes.clone(), values, self.others, self.config, seed)?;
        let batches = examples.batches(self.config.batch_tokens, seed);
        fit(&mut trainee, examples, &batches, self, work)?;
        Ok(trainee)
    }
}

/// Trains from the newest checkpoint in `work`, or from the beginning, to the last step.
fn fit(
    trainee: &mut Trainee,
    examples: &Examples,
    batches: &Batches,
    school: &School<'_>,
    work: &Path,
) -> Result<()> {
    let School { config, cancellation, observer, .. } = *school;
    if let Some(newest) = checkpoints(work)?.last() {
        trainee.restore(newest)?;
    }
    let epochs: Vec<u64> = (0..config.epochs).map(|at| batches.epoch(at).len() as u64).collect();
    let total = epochs.iter().sum();
    let rate = LearningRate {
        peak: config.learning_rate,
        warmup_steps: WARMUP_STEPS.min(total / WARMUP_SHARE),
        decay: Decay::Linear,
        floor: config.learning_rate * FLOOR,
    };
    let (stage, done) = (Stage::Train, trainee.steps());
    observer.observe(&Event::StageStarted { stage, total: Some(total), done, unit: "steps" });
    let mut first = 0;
    for (epoch, &length) in epochs.iter().enumerate() {
        let skipped = trainee.steps().saturating_sub(first).min(length);
        if skipped < length {
            for rows in &batches.epoch(epoch as u64)[skipped as usize..] {
                cancellation.check()?;
                let batch = examples.batch(rows).map_err(internal(OPERATION))?;
                trainee.step(&batch, rate.at(trainee.steps() + 1, total))?;
                let (step, loss) = (trainee.steps(), trainee.loss);
                let tokens = batch.texts.tokens.len() as u64;
                observer.observe(&Event::TrainingStep { step, loss, tokens });
                observer.observe(&Event::StageAdvanced { stage, count: 1 });
                if step.is_multiple_of(config.checkpoint_every) || step == total {
                    keep(trainee, work)?;
                }
            }
        }
        first += length;
    }
    observer.observe(&Event::StageFinished { stage });
    Ok(())
}

/// Writes a checkpoint and removes all but the newest.
fn keep(trainee: &Trainee, work: &Path) -> Result<()> {
    let target = work.join(format!("{PREFIX}{:08}", trainee.steps()));
    if !target.exists() {
        create_directory_atomically(&target, |directory| trainee.save(directory))?;
    }
    let all = checkpoints(work)?;
    for old in &all[..all.len().saturating_sub(KEPT)] {
        fs::remove_dir_all(old)
            .map_err(|e| Error::io(COMPONENT, "remove an old checkpoint", old, e))?;
    }
    Ok(())
}

/// The checkpoints that there are, the oldest first.
fn checkpoints(work: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io(COMPONENT, "look for checkpoints", work, e);
    let mut found = Vec::new();
    for entry in fs::read_dir(work).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) {
            found.push(work.join(name));
        }
    }
    found.sort();
    Ok(found)
}
