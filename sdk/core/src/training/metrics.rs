//! `metrics.jsonl`: a row a step, the same bytes on every run.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// One optimiser step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Its number, from 1.
    pub step: u64,
    /// Mean next-token loss of its tokens before the update, in nats.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Global L2 norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Tokens trained on so far, this step included.
    pub tokens: u64,
    /// Passes over the corpus so far.
    pub epoch: f64,
}

/// A measurement on held-out text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationMetrics {
    /// After how many steps.
    pub step: u64,
    /// Mean next-token loss, in nats.
    pub validation_loss: f64,
    /// Its exponential: perplexity per token.
    pub validation_perplexity: f64,
    /// How many tokens were predicted.
    pub validation_tokens: u64,
}

/// An append-only file of rows that can be taken back to an earlier length.
#[derive(Debug)]
pub(super) struct MetricsLog {
    path: PathBuf,
    file: File,
    length: u64,
}

impl MetricsLog {
    /// Opens the log and forgets what came after `length` bytes: rows of steps that will be taken
    /// again.
    pub(super) fn open(path: &Path, length: u64) -> Result<Self> {
        let failed = |e| Error::io("training", "write metrics", path, e);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::Start(length)).map_err(failed)?;
        Ok(Self { path: path.to_path_buf(), file, length })
    }

    pub(super) fn append(&mut self, row: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(row).map_err(|e| {
            Error::new(ErrorKind::Internal, "training", "write metrics", e.to_string())
                .with_source(e)
        })?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(|e| Error::io("training", "write metrics", &self.path, e))?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Makes all rows durable and says how many bytes they are.
    pub(super) fn sync(&self) -> Result<u64> {
        self.file.sync_data().map_err(|e| Error::io("training", "write metrics", &self.path, e))?;
        Ok(self.length)
    }
}
