//! A subject in, measurements out, each with what it is made of.

mod bootstrap;
mod diversity;
mod evaluator;
mod random;
mod toxicity;

pub use bootstrap::{Bootstrap, Ratio};
pub use diversity::distinct_ngrams;
pub use evaluator::{
    Evaluation, EvaluationContext, Evaluator, Interval, Measurement, Provenance, Subject,
};
pub use toxicity::{Slice, ToxicityOutcomes, ToxicityPreset, ToxicityStatistic};

const COMPONENT: &str = "evaluation";
