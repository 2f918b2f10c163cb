//! The SGEAT pipeline: prompts, self-generation, annotation, selection, training, evaluation.

mod annotate;
mod card;
mod components;
mod config;
mod driver;
mod self_generation;
mod stage;
#[cfg(test)]
mod tests;

pub(crate) use components::Components;
pub use config::{GenerationConfig, PipelineConfig};
pub(crate) use driver::FALSE_POSITIVES;
pub use driver::{Pipeline, RunSummary};
pub(crate) use self_generation::{KEPT, SelfGeneration};
pub use stage::Stage;
