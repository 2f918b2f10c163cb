//! Prompts in, continuations out.

mod generator;
mod sampling;

pub use generator::{
    FinishReason, Generation, GenerationRequest, Generator, GeneratorCapabilities,
};
pub use sampling::Sampling;
