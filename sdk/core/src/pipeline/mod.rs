//! The SGEAT pipeline: prompts, self-generation, annotation, selection, training, evaluation.

mod stage;

pub use stage::Stage;
