//! Decoding, written once over [`CausalLm`](crate::causal_lm::CausalLm).
//!
//! [`LocalGenerator`] makes a [`Generator`](crate::Generator) of any local model, [`LocalLikelihood`]
//! a [`Likelihood`](crate::causal_lm::Likelihood).

mod batch;
mod draws;
mod likelihood;
mod local;
mod rows;
mod sampler;
mod subject;
#[cfg(test)]
mod tests;

pub use likelihood::LocalLikelihood;
pub use local::LocalGenerator;
pub use subject::local_subject;
