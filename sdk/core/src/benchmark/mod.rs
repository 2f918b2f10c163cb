//! How fast a model, a scorer and training are here, and how near to what the machine can do.
//!
//! | file | idea |
//! | --- | --- |
//! | `benchmark` | does the work and times it |
//! | `ceilings` | what bounds a framework on a machine |
//! | `config` | how much of each work |
//! | `figures` | what came out |
//! | `peak` | the most memory that was held |
//! | `size` | what a token costs in a model |
//! | `training` | times training steps |

#[allow(clippy::module_inception, reason = "it is the idea that the others serve")]
mod benchmark;
mod ceilings;
mod config;
mod figures;
mod peak;
mod size;
mod training;

pub use benchmark::Benchmark;
pub use ceilings::{Ceilings, CeilingsProbe, fastest_per_second};
pub use config::BenchmarkConfig;
pub use figures::{BenchmarkFigures, WorkFigures};
pub use size::ModelSize;

const COMPONENT: &str = "benchmark";
