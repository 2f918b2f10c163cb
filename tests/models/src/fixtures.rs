//! Where the models are, and what others compute with them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Models whose weights `make_models.py` draws.
pub const MODELS: [&str; 4] = ["gpt2", "llama3", "llama-linear-f16", "qwen2-bf16-sharded"];

/// What logits in `f32` may differ by.
pub const TOLERANCE: f32 = 1e-4;

/// Where all fixtures are; tests may run on another machine than the one they were built on.
#[must_use]
pub fn fixtures() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        // Of the crate whose tests run, which is two folders below the root.
        Some(directory) if !built.exists() => Path::new(&directory).join("../../tests/fixtures"),
        _ => built,
    }
}

/// The directory of a model.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    fixtures().join("models").join(name)
}

/// Where the adapters are that others have made.
#[must_use]
pub fn adapters() -> PathBuf {
    fixtures().join("adapters")
}

/// What `transformers` computes with a model.
#[derive(Clone, Debug, Deserialize)]
pub struct Expected {
    /// A text.
    pub text: String,
    /// Its tokens.
    pub text_ids: Vec<u32>,
    /// What follows some sequences.
    pub sequences: Vec<ExpectedSequence>,
    /// Of the text's tokens, each given those before it.
    pub token_log_probs: Vec<f32>,
    /// Of the text.
    pub perplexity: f64,
}

/// What follows a sequence.
#[derive(Clone, Debug, Deserialize)]
pub struct ExpectedSequence {
    /// Its tokens.
    pub ids: Vec<u32>,
    /// The logits after the last.
    pub logits: Vec<f32>,
    /// What is written greedily.
    pub greedy: Vec<u32>,
}

/// What is expected of a model.
#[must_use]
pub fn expected(name: &str) -> Expected {
    let text = fs::read_to_string(fixture(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}
