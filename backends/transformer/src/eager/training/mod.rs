//! Training through a framework's own gradients.

mod adamw;
mod backend;
mod backward;
mod session;

pub use backend::EagerTrainBackend;
