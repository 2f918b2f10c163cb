//! A subject in, measurements out, each with what it is made of.

mod evaluator;

pub use evaluator::{
    Evaluation, EvaluationContext, Evaluator, Interval, Measurement, Provenance, Subject,
};
