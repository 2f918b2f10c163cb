//! Models, scorers and settings to run a pipeline with.

mod bigram;
mod flood;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use detoxlm_core::{Error, ErrorKind, Observer, Pipeline, Result, RunSummary};

/// What a pipeline is made of. Its inputs lie in a directory that [`prepare`](Self::prepare) fills,
/// its runs wherever the caller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Every stage, with the core's fakes: augmented prompts, filter, validation, two evaluators.
    Bigram,
    /// So many documents of a kilobyte each, written by a generator that costs nothing.
    Flood {
        /// How many documents.
        documents: u64,
    },
}

impl FromStr for Setup {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let documents = name.strip_prefix("flood:").and_then(|number| number.parse().ok());
        match (name, documents) {
            ("bigram", _) => Ok(Self::Bigram),
            (_, Some(documents)) => Ok(Self::Flood { documents }),
            _ => {
                let message = "no such setup";
                let error = Error::new(ErrorKind::NotFound, "end-to-end", "set up", message);
                Err(error.with_key(name.to_owned()))
            }
        }
    }
}

impl Setup {
    /// The name that reads as this setup.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Bigram => "bigram".to_owned(),
            Self::Flood { documents } => format!("flood:{documents}"),
        }
    }

    /// Writes the base model and whatever else runs read into `root`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(self, root: &Path) -> Result<()> {
        match self {
            Self::Bigram => bigram::prepare(root, &base(root)),
            Self::Flood { .. } => flood::prepare(&base(root)),
        }
    }

    /// The pipeline.
    ///
    /// # Errors
    /// When one of its parts cannot be made.
    pub fn pipeline(self, root: &Path, observer: Arc<dyn Observer>) -> Result<Pipeline> {
        let pipeline = match self {
            Self::Bigram => bigram::pipeline(root),
            Self::Flood { documents } => flood::pipeline(documents),
        };
        Ok(pipeline?.with_observer(observer))
    }

    /// Runs it, or goes on with it, in `run`.
    ///
    /// # Errors
    /// What the pipeline says.
    pub async fn run(
        self,
        root: &Path,
        run: &Path,
        observer: Arc<dyn Observer>,
    ) -> Result<RunSummary> {
        self.pipeline(root, observer)?.run(&base(root), run).await
    }
}

fn base(root: &Path) -> PathBuf {
    root.join("base")
}
