//! Make language models less toxic.
//!
//! A model writes texts, a scorer rates them, the least toxic half is kept, the model is fine-tuned
//! on it, and what changed is measured: SGEAT, self-generation enabled domain-adaptive training
//! (Wang et al. 2022, "Exploring the Limits of Domain-Adaptive Training for Detoxifying Large-Scale
//! Language Models"). All of it runs in this process, on local files, and goes on where it was
//! interrupted.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use detoxlm::selection::Selection;
//! use detoxlm::{Pipeline, PipelineConfig};
//!
//! # async fn detoxify() -> detoxlm::Result<()> {
//! let registry = detoxlm::registry();
//! let framework = registry.framework("candle")?;
//! let scorer = registry.scorer("onnx:models/toxic-bert")?;
//! let config = PipelineConfig {
//!     selection: Selection::default().with_cap(0.5),
//!     ..PipelineConfig::default()
//! };
//! let pipeline = Pipeline::new(config, &framework, scorer);
//! let run = pipeline.run(Path::new("models/gpt2"), Path::new("runs/first")).await?;
//! println!("trained on {} of {} texts", run.selection.kept, run.selection.documents);
//! println!("the model is in {}", run.training.model.display());
//! # Ok(())
//! # }
//! ```
//!
//! This crate is a facade: everything of `detoxlm_core` is at its root, and each backend is a module
//! behind the feature of its name. A backend of one's own implements a trait of the core,
//! [`Generator`], [`ToxicityScorer`], [`Trainer`] or [`Evaluator`], and is passed where ours would be.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "defaults")]
pub mod defaults;

pub use detoxlm_core::*;

#[cfg(feature = "candle")]
#[doc(no_inline)]
pub use detoxlm_candle as candle;
#[cfg(feature = "hub")]
#[doc(no_inline)]
pub use detoxlm_hub as hub;
#[cfg(feature = "onnx")]
#[doc(no_inline)]
pub use detoxlm_onnx as onnx;
#[cfg(feature = "openai")]
#[doc(no_inline)]
pub use detoxlm_openai as openai;
#[cfg(feature = "perspective")]
#[doc(no_inline)]
pub use detoxlm_perspective as perspective;
#[cfg(feature = "plugins")]
#[doc(no_inline)]
pub use detoxlm_plugins as plugins;
#[cfg(feature = "profanity-check")]
#[doc(no_inline)]
pub use detoxlm_profanity_check as profanity_check;
#[cfg(feature = "tch")]
#[doc(no_inline)]
pub use detoxlm_tch as tch;
#[cfg(feature = "vader")]
#[doc(no_inline)]
pub use detoxlm_vader as vader;

/// The frameworks, scorers and filters that configurations and command lines can name: those whose features
/// are enabled.
#[must_use]
pub fn registry() -> Registry {
    #[allow(unused_mut, reason = "without any backend there is nothing to add")]
    let mut registry = Registry::new();
    #[cfg(feature = "candle")]
    candle::register(&mut registry);
    #[cfg(feature = "onnx")]
    onnx::register(&mut registry);
    #[cfg(feature = "openai")]
    openai::register(&mut registry);
    #[cfg(feature = "perspective")]
    perspective::register(&mut registry);
    #[cfg(feature = "plugins")]
    plugins::register(&mut registry);
    #[cfg(feature = "profanity-check")]
    profanity_check::register(&mut registry);
    #[cfg(feature = "tch")]
    tch::register(&mut registry);
    #[cfg(feature = "vader")]
    vader::register(&mut registry);
    registry
}
