//! Fine-tuning: of all parameters, or of what is added to them.

pub(crate) mod adamw;
mod backend;
mod backward;
pub(crate) mod gradients;
mod network;
mod session;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod values;

pub use backend::CandleTrainBackend;
