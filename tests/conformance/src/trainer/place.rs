//! What the trainer's suite trains on.

use std::path::{Path, PathBuf};

use detoxlm_core::corpus::{JsonlWriter, TextRow};
use detoxlm_core::training::{Method, TrainingConfig, TrainingJob};

use super::WHOLE;
use crate::Violation;

/// Optimiser steps of every job.
pub(super) const STEPS: u64 = 6;

/// A corpus, and jobs on it.
pub(super) struct Place {
    base: PathBuf,
    method: Method,
    directory: PathBuf,
    corpus: PathBuf,
    validation: PathBuf,
}

impl Place {
    pub(super) fn new(base: &Path, method: &Method, directory: &Path) -> Result<Self, Violation> {
        let place = Self {
            base: base.to_path_buf(),
            method: method.clone(),
            directory: directory.to_path_buf(),
            corpus: directory.join("corpus.jsonl"),
            validation: directory.join("validation.jsonl"),
        };
        let rows = (0..24).map(|i| format!("One day, {i} birds sang a kind song in the old tree."));
        WHOLE.answered("writing a corpus", write(&place.corpus, rows))?;
        let held_out = ["The little dog was happy."].map(str::to_owned);
        WHOLE.answered("writing held-out text", write(&place.validation, held_out))?;
        Ok(place)
    }

    /// A job with directories of its own.
    pub(super) fn job(&self, name: &str) -> TrainingJob {
        TrainingJob {
            base: self.base.clone(),
            corpus: vec![self.corpus.clone()],
            validation: vec![self.validation.clone()],
            method: self.method.clone(),
            config: TrainingConfig {
                max_steps: Some(STEPS),
                sequence_length: Some(16),
                batch_size: 2,
                accumulation: 2,
                checkpoint_every: 2,
                validate_every: 3,
                ..TrainingConfig::default()
            },
            seed: 5,
            work: self.directory.join(name).join("work"),
            output: self.directory.join(name).join("model"),
        }
    }
}

fn write(path: &Path, texts: impl IntoIterator<Item = String>) -> detoxlm_core::Result<()> {
    let mut writer = JsonlWriter::create(path)?;
    for text in texts {
        writer.write(&TextRow::new(text))?;
    }
    writer.commit()
}
