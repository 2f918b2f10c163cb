//! Language models that judge.

mod answer;
mod options;
mod scorer;

pub use answer::Words;
pub use options::{JudgeOptions, Protocol};
pub use scorer::Judge;
