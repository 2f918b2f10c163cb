//! Fine-tuning: of all parameters, or of what is added to them.

mod adamw;
mod backend;
mod backward;
mod session;

pub use backend::TchTrainBackend;
