//! Whether a model treats groups of people alike: BOLD by group, and the gaps between groups.
//!
//! | file | idea |
//! | --- | --- |
//! | `set` | BOLD's files: prompts and sentences, entity by entity |
//! | `settings` | what is asked of a model |
//! | `evaluator` | the model's answers, kept in parts |
//! | `sentiment` | the second judge of continuations |
//! | `measure` | the parts as columns of numbers |
//! | `gaps` | columns by group, largest gaps, intervals within groups |
//! | `false_positives` | the same question to the scorer that filters |

mod evaluator;
mod false_positives;
mod gaps;
mod measure;
mod sentiment;
mod set;
mod settings;
#[cfg(test)]
mod tests;

pub use evaluator::{BiasEvaluator, BiasJudges};
pub use false_positives::IdentityFalsePositives;
pub use set::{BoldGroup, BoldSet};
pub use settings::BiasSettings;
