//! Forward passes without gradients.

mod cache;
mod engine;
mod likelihood;
mod session;

pub(crate) use engine::{Engine, parameters};
pub(crate) use session::Session;
