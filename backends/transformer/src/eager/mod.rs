//! Models and training on the tensors of a framework, one operation at a time.
//!
//! What a model computes, what a decode session keeps, how sequences are rated and how gradients become
//! steps is written once, over the operations that [`Tensor`] asks of a framework and the device that
//! [`Place`] is. Where a framework's own operations are slow, a backend has faster ones of its own: candle's
//! on the processor.

mod attention;
mod causal_lm;
mod ids;
mod inference;
mod network;
mod place;
mod tensor;
mod training;

pub use attention::{Heads, Sight, attend};
pub use causal_lm::EagerLm;
pub use place::Place;
pub use tensor::{AdamWStep, Computed, Made, Moments, Tensor};
pub use training::EagerTrainBackend;
