use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::lock::DirectoryLock;
use crate::run::Parts;
use crate::settings::write_or_compare;
use crate::{Info, Result};

/// A run directory, held by this process.
#[derive(Debug)]
pub struct RunDirectory {
    root: PathBuf,
    _lock: DirectoryLock,
}

impl RunDirectory {
    /// Opens or begins a run with these settings (anything that serialises to a JSON object).
    ///
    /// # Errors
    /// When another process holds it, or it was begun with other settings: the keys that differ are
    /// named and nothing is changed.
    pub fn open(root: impl Into<PathBuf>, settings: &impl Serialize) -> Result<Self> {
        let root = root.into();
        let lock = DirectoryLock::acquire(&root)?;
        write_or_compare("run", &root.join("run.json"), settings)?;
        Ok(Self { root, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The self-generated corpus.
    #[must_use]
    pub fn corpus(&self) -> CorpusDirectory {
        CorpusDirectory { root: self.root.clone() }
    }

    /// The pool that augmented prompts are cut from.
    #[must_use]
    pub fn prompt_pool(&self) -> CorpusDirectory {
        CorpusDirectory { root: self.root.join("prompts") }
    }

    /// The augmented prompts.
    #[must_use]
    pub fn prompts(&self) -> PathBuf {
        self.root.join("prompts/prompts.jsonl")
    }

    /// Kept and dropped documents.
    #[must_use]
    pub fn selection(&self) -> PathBuf {
        self.root.join("select")
    }

    /// Metrics and checkpoints of the training.
    #[must_use]
    pub fn training(&self) -> PathBuf {
        self.root.join("train")
    }

    /// The trained model.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }

    /// Evaluations.
    #[must_use]
    pub fn evaluation(&self) -> PathBuf {
        self.root.join("eval")
    }

    /// The report, for a browser; `report.md` beside it is the short form.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }
}

/// Documents with what was said of them.
#[derive(Clone, Debug)]
pub struct CorpusDirectory {
    root: PathBuf,
}

impl CorpusDirectory {
    /// The documents.
    #[must_use]
    pub fn documents(&self) -> Parts {
        Parts::new(self.root.join("generate"))
    }

    /// The verdicts of a scorer.
    #[must_use]
    pub fn verdicts(&self, scorer: &Info) -> Parts {
        Parts::new(self.root.join("score").join(scorer.digest.short()))
    }

    /// The decisions of a filter.
    #[must_use]
    pub fn decisions(&self, filter: &Info) -> Parts {
        Parts::new(self.root.join("filter").join(filter.digest.short()))
    }
}
