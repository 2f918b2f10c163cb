//! A local classifier out of recorded scores or labels: what is asked for, from what, and what came
//! of it. A backend does the work.

mod config;
mod job;
mod outcome;
mod row;
#[cfg(test)]
mod tests;

pub use config::{Convolution, DistillationConfig, SourceConfig};
pub use job::DistillationJob;
pub use outcome::{AttributeFigures, DistillationOutcome, HeldOutScores};
pub use row::{LabelledRow, read_labelled};

const COMPONENT: &str = "distillation";
