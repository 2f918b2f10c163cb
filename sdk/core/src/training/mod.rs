//! Corpus in, trained model directory out.

mod job;
mod schedule;
mod session;
mod trainer;

pub use job::{Method, OptimizerConfig, TrainingConfig, TrainingJob};
pub use schedule::{Decay, LearningRate};
pub use session::{BatchLoss, ParameterCounts, TokenBatch, TrainBackend, TrainSession};
pub use trainer::{Trainer, TrainerCapabilities, TrainingOutcome};
