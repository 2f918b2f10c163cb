//! The SGEAT pipeline: prompts, self-generation, annotation, selection, training, evaluation.

mod annotate;
mod card;
mod config;
mod driver;
mod measurement;
mod report;
mod self_generation;
mod stage;
#[cfg(test)]
mod tests;

pub use config::{GenerationConfig, PipelineConfig};
pub use driver::{Pipeline, RunSummary};
pub use stage::Stage;
