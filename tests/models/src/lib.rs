//! The small models in `tests/fixtures/models`, what other programs compute with them, and short ways to run
//! and train them, for the tests of every backend.

#![allow(clippy::unwrap_used, reason = "only tests call this, and a panic is how they fail")]

mod fixtures;
mod running;
mod training;

pub use fixtures::{
    Expected, ExpectedSequence, MODELS, TOLERANCE, adapters, expected, fixture, fixtures,
};
pub use running::{argmax, assert_close, greedy, log_probs, logits, step};
pub use training::{TEXT, batch, corpus, exported, methods, state, train};
