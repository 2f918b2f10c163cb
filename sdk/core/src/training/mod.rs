//! Corpus in, trained model directory out.

mod card;
mod checkpoint;
mod event_file;
mod initial_values;
mod job;
mod local;
mod method;
mod metrics;
mod packing;
mod schedule;
mod session;
mod shuffle;
#[cfg(test)]
mod tests;
mod token_store;
mod trainer;

pub(crate) use card::Card;
pub use initial_values::normal_values;
pub use job::{OptimizerConfig, TrainingConfig, TrainingJob};
pub use local::LocalTrainer;
pub use method::{
    Bottleneck, BottleneckActivation, BottleneckSize, Lora, Method, Placement, Prefix,
};
pub use metrics::{StepMetrics, ValidationMetrics};
pub use schedule::{Decay, LearningRate};
pub use session::{BatchLoss, ParameterCounts, TokenBatch, TrainBackend, TrainSession};
pub use shuffle::Permutation;
pub use trainer::{Trainer, TrainerCapabilities, TrainingOutcome};
