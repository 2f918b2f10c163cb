//! Any exported ONNX sequence classifier as a detoxlm toxicity scorer.
//!
//! [`OnnxScorer`] opens a directory in Hugging Face's layout, as `optimum-cli export onnx` writes it
//! for Detoxify's, unitary's `toxic-bert` and other toxicity classifiers: `model.onnx`,
//! `tokenizer.json` and `config.json`. What these do not say, or say wrongly, [`OnnxOptions`] does, in
//! code or in a `scorer.json` beside them:
//!
//! ```json
//! {
//!   "labels": {"LABEL_1": "TOXICITY"},
//!   "activation": "softmax",
//!   "windows": {"overlap": 0.25, "combine": "mean"}
//! }
//! ```
//!
//! Published classifiers whose exports name no labels have a [`Preset`].
//!
//! [`OnnxScorer::open_memory`] takes the same files from memory: a program can carry its classifier.
//!
//! # The embedded classifier
//! [`OnnxScorer::embedded`] is a small classifier that the feature `embedded` (a default) compiles in:
//! seven attributes, nothing to download. Its model card is `embedded/README.md`.
//!
//! # Engines
//! Two engines run graphs: tract, pure Rust and compiled in by the feature `tract` (the default), and
//! ONNX Runtime, several times as fast, by the feature `onnxruntime`. The latter is loaded at run time
//! from the library whose path the environment variable `DETOXLM_ONNXRUNTIME` holds; where it is set,
//! ONNX Runtime it is, and an error if it cannot be loaded. Their scores agree within 1e-4.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod batches;
mod calls;
mod classifier;
#[cfg(feature = "embedded")]
mod embedded;
mod engine;
mod files;
mod head;
mod options;
mod presets;
mod scorer;
mod source;
mod windows;

use std::sync::Arc;

use detoxlm_core::Registry;

pub use files::MemoryFiles;
pub use options::{Activation, Combine, OnnxOptions, Windows};
pub use presets::Preset;
pub use scorer::OnnxScorer;

const COMPONENT: &str = "onnx";

/// The environment variable with the path of ONNX Runtime's library.
pub const LIBRARY_VARIABLE: &str = "DETOXLM_ONNXRUNTIME";

/// Adds the scheme `onnx`: `onnx:DIR` opens a classifier's directory; and with the feature `embedded`
/// the scheme `embedded`, the classifier that this crate carries.
pub fn register(registry: &mut Registry) {
    registry.add_scorer("onnx:DIR", |directory| Ok(Arc::new(OnnxScorer::open(directory)?)));
    #[cfg(feature = "embedded")]
    registry.add_scorer("embedded", |_| Ok(Arc::new(OnnxScorer::embedded()?)));
}
