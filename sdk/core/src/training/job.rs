use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::training::{LearningRate, Method};
use crate::{Error, ErrorKind, Result};

/// AdamW (Loshchilov and Hutter 2019) and gradient clipping. The defaults are SGEAT's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled decay of matrices; biases and norms are not decayed.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global L2 norm; 0 switches clipping off.
    pub max_grad_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, max_grad_norm: 1.0 }
    }
}

/// How to train. The defaults are SGEAT's, except for the batch, which is sized for one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the corpus.
    pub epochs: f64,
    /// Stop after this many optimiser steps, if given; `epochs` is then ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Tokens of a training sequence; the model's context length (at most 1024) when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_length: Option<usize>,
    /// Sequences of one forward and backward pass.
    pub batch_size: usize,
    /// Passes whose gradients are added up before a step.
    pub accumulation: usize,
    /// Learning rate and its course.
    pub learning_rate: LearningRate,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// Keep only the input of every layer during the forward pass and compute the rest again during
    /// the backward pass (Chen et al. 2016): less memory for about a third more time.
    pub gradient_checkpointing: bool,
    /// Write a checkpoint every so many steps.
    pub checkpoint_every: u64,
    /// Keep so many checkpoints.
    pub keep_checkpoints: usize,
    /// Measure the validation perplexity every so many steps, if the job has validation text.
    pub validate_every: u64,
    /// Also write losses, learning rate and gradient norm as event files, into `tensorboard/` of the
    /// work directory, for TensorBoard and what else reads its files.
    ///
    /// It decides nothing of the result, and is therefore read but never written: a training goes on
    /// with it or without it.
    #[serde(skip_serializing)]
    pub tensorboard: bool,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 1.0,
            max_steps: None,
            sequence_length: None,
            batch_size: 8,
            accumulation: 1,
            learning_rate: LearningRate::default(),
            optimizer: OptimizerConfig::default(),
            gradient_checkpointing: false,
            checkpoint_every: 100,
            keep_checkpoints: 2,
            validate_every: 100,
            tensorboard: false,
        }
    }
}

impl TrainingConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        let refuse = |key: &'static str, message: &'static str| {
            Err(Error::new(ErrorKind::InvalidConfig, "core", "set up training", message)
                .with_key(key))
        };
        if !(self.epochs > 0.0 && self.epochs.is_finite()) {
            return refuse("epochs", "must be more than 0");
        }
        for (key, value) in [
            ("batch_size", self.batch_size as u64),
            ("accumulation", self.accumulation as u64),
            ("checkpoint_every", self.checkpoint_every),
            ("keep_checkpoints", self.keep_checkpoints as u64),
            ("validate_every", self.validate_every),
            ("max_steps", self.max_steps.unwrap_or(1)),
        ] {
            if value == 0 {
                return refuse(key, "must be at least 1");
            }
        }
        if self.sequence_length.is_some_and(|length| length < 2) {
            return refuse("sequence_length", "must be at least 2");
        }
        let optimizer = &self.optimizer;
        for (key, value) in
            [("optimizer.beta1", optimizer.beta1), ("optimizer.beta2", optimizer.beta2)]
        {
            if !(0.0..1.0).contains(&value) {
                return refuse(key, "must be in [0, 1)");
            }
        }
        if !(optimizer.epsilon > 0.0 && optimizer.epsilon.is_finite()) {
            return refuse("optimizer.epsilon", "must be more than 0");
        }
        for (key, value) in [
            ("optimizer.weight_decay", optimizer.weight_decay),
            ("optimizer.max_grad_norm", optimizer.max_grad_norm),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return refuse(key, "must be 0 or more");
            }
        }
        self.learning_rate.validate()
    }
}

/// One training, whole: what from, on what, how, and where to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingJob {
    /// The model directory to start from.
    pub base: PathBuf,
    /// The corpus: JSONL files with a string field `text`, in order.
    pub corpus: Vec<PathBuf>,
    /// Held-out text for the validation perplexity, in the same form.
    pub validation: Vec<PathBuf>,
    /// Which parameters.
    pub method: Method,
    /// How.
    pub config: TrainingConfig,
    /// Decides the order of the documents.
    pub seed: u64,
    /// Where metrics and checkpoints go.
    pub work: PathBuf,
    /// Where the trained model directory goes.
    pub output: PathBuf,
}
