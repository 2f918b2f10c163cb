use std::fmt;

use serde::{Deserialize, Serialize};

/// A part of the pipeline, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The model's files are fetched.
    Fetch,
    /// The model writes the documents that augmented prompts are cut from.
    Prompts,
    /// The model writes the corpus.
    Generate,
    /// The scorer rates it.
    Score,
    /// The least toxic part is kept.
    Select,
    /// The model is fine-tuned on it.
    Train,
    /// Both models are measured.
    Evaluate,
}

impl Stage {
    /// The name in folders and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Prompts => "prompts",
            Self::Generate => "generate",
            Self::Score => "score",
            Self::Select => "select",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
