use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{COMPONENT, DistillationConfig, LabelledRow, read_labelled};
use crate::lock::DirectoryLock;
use crate::settings::write_or_compare;
use crate::{Digest, Error, ErrorKind, Info, Result};

/// One training of a classifier, whole: from what, how, and where to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistillationJob {
    /// Files of [`LabelledRow`]s, in order.
    pub rows: Vec<PathBuf>,
    /// Files of texts without labels, JSONL with a field `text`: what tokens mean is learned from
    /// them too.
    pub unlabelled: Vec<PathBuf>,
    /// What, and how.
    pub config: DistillationConfig,
    /// Decides first weights, the order of the rows and what is dropped.
    pub seed: u64,
    /// Where the vocabulary and checkpoints go.
    pub work: PathBuf,
    /// Where the classifier's directory goes.
    pub output: PathBuf,
}

/// What decides the result of a job; where it is kept does not.
#[derive(Serialize)]
struct JobRecord<'a> {
    trainer: &'a Info,
    rows: Vec<Digest>,
    unlabelled: Vec<Digest>,
    config: &'a DistillationConfig,
    seed: u64,
}

impl DistillationJob {
    /// Checks what can be known before anything is read: ranges, and that the files are there.
    ///
    /// # Errors
    /// Names the key or the file.
    pub fn validate(&self) -> Result<()> {
        self.config.validate()?;
        if self.rows.is_empty() {
            let message = "there is nothing to learn from";
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "set up the training",
                message,
            )
            .with_key("rows")
            .with_remedy("give a file of rows {\"text\": ..., \"scores\": {...}}"));
        }
        for file in self.rows.iter().chain(&self.unlabelled) {
            if !file.is_file() {
                let message = "no such file";
                return Err(Error::new(ErrorKind::NotFound, COMPONENT, "read the rows", message)
                    .with_path(file)
                    .with_remedy("name an existing JSONL file, which may end in .gz or .zst"));
            }
        }
        Ok(())
    }

    /// Holds the work directory, and writes there what the job is; an earlier sitting must have been
    /// the same job.
    ///
    /// # Errors
    /// When another process holds it, or it belongs to another job: what differs is named.
    pub fn begin(&self, trainer: &Info) -> Result<DirectoryLock> {
        let lock = DirectoryLock::acquire(&self.work)?;
        let digests = |files: &[PathBuf]| files.iter().map(Digest::of_file).collect::<Result<_>>();
        let record = JobRecord {
            trainer,
            rows: digests(&self.rows)?,
            unlabelled: digests(&self.unlabelled)?,
            config: &self.config,
            seed: self.seed,
        };
        write_or_compare(COMPONENT, &self.work.join("job.json"), &record)?;
        Ok(lock)
    }

    /// All rows, file by file.
    pub fn rows(&self) -> impl Iterator<Item = Result<LabelledRow>> + '_ {
        self.rows.iter().flat_map(|file| {
            let (rows, failed) = match read_labelled(file) {
                Ok(rows) => (Some(rows), None),
                Err(error) => (None, Some(Err(error))),
            };
            rows.into_iter().flatten().chain(failed)
        })
    }
}
