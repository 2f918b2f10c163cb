//! What a backend supplies so that the training loop is written once.

use std::fmt::Debug;
use std::path::Path;

use crate::causal_lm::Tokenizer;
use crate::training::{TrainerCapabilities, TrainingJob};
use crate::{Info, Result};

/// Sequences of token ids to train on or to measure, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// `sequences * length` input ids.
    pub inputs: Vec<u32>,
    /// The id that follows each input.
    pub targets: Vec<u32>,
    /// How many sequences.
    pub sequences: usize,
    /// Tokens of each.
    pub length: usize,
}

/// The loss of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchLoss {
    /// Mean next-token negative log-likelihood over `tokens`, in nats.
    pub mean: f64,
    /// How many tokens were predicted.
    pub tokens: u64,
}

/// How many parameters there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterCounts {
    /// Those that are trained.
    pub trainable: u64,
    /// All of the model.
    pub total: u64,
}

/// A framework that can train; [`LocalTrainer`](super::LocalTrainer) makes a
/// [`Trainer`](super::Trainer) of it.
///
/// # Contract
/// - `open` loads the base model and refuses what it cannot train, naming it.
/// - It is called on a thread with a large stack that belongs to the trainer.
pub trait TrainBackend: Debug + Send + Sync + 'static {
    /// Who this backend is.
    fn info(&self) -> &Info;

    /// What it can train.
    fn capabilities(&self) -> &TrainerCapabilities;

    /// Loads the job's base model, ready for the first step.
    ///
    /// # Errors
    /// When the model cannot be loaded or the method is not supported.
    fn open(&self, job: &TrainingJob) -> Result<Box<dyn TrainSession>>;
}

/// A model under training.
///
/// # Contract
/// - `accumulate` adds the gradients of `weight * mean loss` to those there; `step` clips, updates
///   and clears them. The same calls give the same bits.
/// - `save` writes everything that the next steps depend on (weights and optimiser state) into an
///   existing, empty directory; `restore` brings back exactly that.
/// - `export` writes a model directory that others can read into an existing, empty directory.
pub trait TrainSession: Debug {
    /// How many parameters.
    fn parameters(&self) -> ParameterCounts;

    /// The most tokens of a sequence.
    fn context_length(&self) -> usize;

    /// The number of logits; every token id lies below it.
    fn vocabulary(&self) -> usize;

    /// The model's tokenizer.
    fn tokenizer(&self) -> &dyn Tokenizer;

    /// Forward and backward pass; adds to the gradients. `weight` scales them, not the loss.
    ///
    /// # Errors
    /// When the pass fails.
    fn accumulate(&mut self, batch: &TokenBatch, weight: f64) -> Result<BatchLoss>;

    /// Clips and applies the gradients, clears them, and gives their global L2 norm before clipping.
    /// Nothing is applied when that norm is not finite.
    ///
    /// # Errors
    /// When the update fails.
    fn step(&mut self, learning_rate: f64) -> Result<f64>;

    /// Forward pass alone.
    ///
    /// # Errors
    /// When the pass fails.
    fn evaluate(&self, batch: &TokenBatch) -> Result<BatchLoss>;

    /// Writes the state.
    ///
    /// # Errors
    /// When a file cannot be written, or, as [`ErrorKind::Diverged`](crate::ErrorKind), a weight is
    /// not finite: a checkpoint is always one to go on from.
    fn save(&self, directory: &Path) -> Result<()>;

    /// Reads the state.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit the model.
    fn restore(&mut self, directory: &Path) -> Result<()>;

    /// Writes the trained model.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn export(&self, directory: &Path) -> Result<()>;
}
