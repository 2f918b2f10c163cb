//! Forward passes on the processor, without gradients, over packed weights and a key-value cache.

mod adapted;
mod causal_lm;
mod engine;
mod likelihood;
mod packed;
mod scratch;
mod session;

pub(crate) use causal_lm::ProcessorLm;
pub(crate) use engine::Engine;
use session::Session;
