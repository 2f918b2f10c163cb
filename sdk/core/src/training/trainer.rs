use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::training::{Method, TrainingJob};
use crate::{Error, ErrorKind, Info, Observer, Result};

/// What a trainer can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrainerCapabilities {
    /// The names ([`Method::name`]) of the methods it trains.
    pub methods: Vec<&'static str>,
}

impl TrainerCapabilities {
    /// A trainer of these methods.
    #[must_use]
    pub fn new(methods: impl IntoIterator<Item = &'static str>) -> Self {
        Self { methods: methods.into_iter().collect() }
    }

    /// That `method` is among them.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], naming `trainer`, the method and those there are.
    pub fn require(&self, method: &Method, trainer: &Info) -> Result<()> {
        if self.supports(method) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "training",
            "train",
            format!("{} does not train this method", trainer.name),
        )
        .with_key(method.name())
        .with_remedy(format!("it trains: {}", self.methods.join(", "))))
    }

    /// Whether `method` is among them.
    #[must_use]
    pub fn supports(&self, method: &Method) -> bool {
        self.methods.contains(&method.name())
    }
}

/// What a training left behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingOutcome {
    /// The trained model directory.
    pub model: PathBuf,
    /// Optimiser steps taken in all, earlier sittings included.
    pub steps: u64,
    /// Tokens trained on in all.
    pub tokens: u64,
    /// Parameters that were trained.
    pub trainable_parameters: u64,
    /// Parameters of the whole model.
    pub total_parameters: u64,
    /// Mean next-token loss of the last step, in nats.
    pub final_loss: f64,
}

/// Fine-tunes a model on a corpus.
///
/// # Contract
/// - The job's output directory appears whole or not at all, and never before training is complete.
/// - Checkpoints go into the job's work directory. After an interruption at any moment the same job
///   goes on from the last one, and ends in the same bytes as without the interruption, on the same
///   device.
/// - A job whose output is complete is not trained again: its outcome is returned.
/// - A work directory of another job is refused, naming what differs.
/// - A loss or gradient that is not finite stops the training ([`ErrorKind::Diverged`](crate::ErrorKind)),
///   names the step, and keeps the last checkpoint.
/// - Computation runs on threads that the implementation owns; dropping the future stops it after the
///   current step.
#[async_trait]
pub trait Trainer: Debug + Send + Sync + 'static {
    /// Who this trainer is.
    fn info(&self) -> &Info;

    /// What it can do.
    fn capabilities(&self) -> &TrainerCapabilities;

    /// Trains, or goes on training.
    async fn train(
        &self,
        job: &TrainingJob,
        observer: Arc<dyn Observer>,
    ) -> Result<TrainingOutcome>;
}
