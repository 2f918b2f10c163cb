//! Forward passes without gradients, over packed weights and a key-value cache.

mod adapted;
mod engine;
mod likelihood;
mod packed;
mod scratch;
mod session;

pub(crate) use engine::Engine;
pub(crate) use session::Session;
