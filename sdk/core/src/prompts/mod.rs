//! What the model is given when it writes its own training text.
//!
//! SGEAT's three ways: nothing at all, instructions written by hand, and the first halves of the
//! least toxic documents that the model wrote before.

mod augmented;
mod heuristic;
mod strategy;

pub use augmented::{augmented_prompts, halve};
pub use heuristic::HEURISTIC_PROMPTS;
pub use strategy::{PromptStrategy, Prompts};

const COMPONENT: &str = "prompts";
