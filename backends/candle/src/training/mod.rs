//! Fine-tuning of all parameters.

mod adamw;
mod backend;
mod export;
mod gradients;
mod network;
mod session;
mod state;
mod values;

pub use backend::CandleTrainBackend;
