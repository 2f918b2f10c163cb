//! The paper's study: corpus x model x method, over one shared cache of texts, scores and
//! measurements.

mod cell;
mod config;
mod corpora;
mod driver;
mod file_generator;
mod labelled;
mod pictures;
mod report;
#[cfg(test)]
mod tests;

pub use cell::{StudyCell, StudyTraining};
pub use config::{CorpusSource, StudyConfig, StudyCorpus, StudyMethod, StudyModel};
pub use driver::{Study, StudySummary};
