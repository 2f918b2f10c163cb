//! Forward passes without gradients.

mod cache;
mod engine;
mod likelihood;
mod session;

pub(super) use engine::{Engine, parameters};
pub(super) use session::Session;
