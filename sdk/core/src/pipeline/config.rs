use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::prompts::PromptStrategy;
use crate::selection::Selection;
use crate::training::{Method, TrainingConfig};
use crate::{Error, ErrorKind, Result, Sampling};

/// How the corpus is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerationConfig {
    /// How many documents.
    pub documents: u64,
    /// Documents of a unit of work: the grain of resumption, and what is in memory at once.
    pub unit: u64,
    /// How tokens are drawn.
    pub sampling: Sampling,
}

impl Default for GenerationConfig {
    fn default() -> Self {
        Self { documents: 1000, unit: 64, sampling: Sampling::self_generation() }
    }
}

impl GenerationConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        for (key, value) in
            [("generation.documents", self.documents), ("generation.unit", self.unit)]
        {
            if value == 0 {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    "pipeline",
                    "start",
                    "must be at least 1",
                )
                .with_key(key));
            }
        }
        self.sampling.validate()
    }
}

/// What the pipeline does; which model, scorer and trainer it does it with is said in code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// Decides every random draw: tokens and the order of training.
    pub seed: u64,
    /// What the model is prompted with.
    pub prompts: PromptStrategy,
    /// How the corpus is written.
    pub generation: GenerationConfig,
    /// Which part of it is kept.
    pub selection: Selection,
    /// Which parameters are trained.
    pub method: Method,
    /// How they are trained.
    pub training: TrainingConfig,
    /// Held-out text for the validation perplexity during training.
    pub validation: Vec<PathBuf>,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            // The seed of the reference's README.
            seed: 2333,
            prompts: PromptStrategy::default(),
            generation: GenerationConfig::default(),
            selection: Selection::default(),
            method: Method::default(),
            training: TrainingConfig::default(),
            validation: Vec::new(),
        }
    }
}

impl PipelineConfig {
    /// Checks everything before any work is done.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        self.generation.validate()?;
        self.prompts.validate()?;
        self.selection.validate()?;
        self.method.validate()?;
        self.training.validate()
    }
}
