//! Fine-tuning: of all parameters, or of what is added to them.

mod adamw;
mod backend;
mod backward;
mod export;
mod gradients;
mod network;
mod session;
mod state;
#[cfg(test)]
mod tests;
mod values;

pub use backend::CandleTrainBackend;
