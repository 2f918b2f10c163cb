//! Everything that the next step depends on, in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::{create_directory_atomically, read_json, write_json};
use crate::training::TrainSession;
use crate::training::packing::Cursor;
use crate::{Error, Result};

const PREFIX: &str = "checkpoint-";
const PROGRESS: &str = "progress.json";

/// How far a training has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Steps taken.
    pub(super) step: u64,
    /// Tokens trained on.
    pub(super) tokens: u64,
    /// Loss of the last step.
    pub(super) loss: f64,
    /// What of the corpus comes next.
    pub(super) cursor: Cursor,
    /// How long `metrics.jsonl` was.
    pub(super) metrics_bytes: u64,
}

/// Writes a checkpoint and removes all but the newest `keep`.
pub(super) fn write(
    work: &Path,
    session: &dyn TrainSession,
    progress: &Progress,
    keep: usize,
) -> Result<()> {
    let target = path_of(work, progress.step);
    if !target.exists() {
        create_directory_atomically(&target, |directory| {
            session.save(directory)?;
            write_json(directory.join(PROGRESS), progress)
        })?;
    }
    let steps = steps(work)?;
    for &step in &steps[..steps.len().saturating_sub(keep)] {
        let old = path_of(work, step);
        fs::remove_dir_all(&old)
            .map_err(|e| Error::io("training", "remove an old checkpoint", &old, e))?;
    }
    Ok(())
}

/// The newest checkpoint.
pub(super) fn latest(work: &Path) -> Result<Option<(PathBuf, Progress)>> {
    let Some(&step) = steps(work)?.last() else { return Ok(None) };
    let directory = path_of(work, step);
    let progress = read_json(directory.join(PROGRESS)).map_err(|error| {
        error.with_remedy("delete this checkpoint to go on from the one before")
    })?;
    Ok(Some((directory, progress)))
}

fn path_of(work: &Path, step: u64) -> PathBuf {
    work.join(format!("{PREFIX}{step:08}"))
}

/// The steps there are checkpoints of, ascending.
fn steps(work: &Path) -> Result<Vec<u64>> {
    let failed = |e| Error::io("training", "look for checkpoints", work, e);
    let mut steps = Vec::new();
    for entry in fs::read_dir(work).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        steps.extend(step.and_then(|step| step.parse::<u64>().ok()));
    }
    steps.sort_unstable();
    Ok(steps)
}
