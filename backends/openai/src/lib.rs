//! Servers that speak OpenAI's protocol as detoxlm toxicity scorers.
//!
//! - [`Moderation`] asks a moderation endpoint (`/v1/moderations`), which gives probabilities by
//!   category.
//! - [`Judge`] asks a language model (`/v1/chat/completions` or `/v1/completions`; OpenAI, vLLM, SGLang,
//!   llama.cpp) a question whose answer is yes or no, and takes the probability of yes: a guard model
//!   such as Llama Guard, or any model with instructions.
//!
//! ```no_run
//! use detoxlm_core::{Sample, ToxicityScorer as _};
//! use detoxlm_openai::{Judge, JudgeOptions};
//!
//! # async fn ask() -> detoxlm_core::Result<()> {
//! let options = JudgeOptions::llama_guard("http://localhost:8000/v1", "meta-llama/Llama-Guard-3-8B");
//! let judge = Judge::new(None, &options)?;
//! let verdicts = judge.score(&[Sample::new("You are kind.")]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A server may change the model behind a name. The digest of these scorers holds the address, the
//! model's name and the question, and cannot hold the weights: put core's `Cached` around them to keep
//! what was said.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod blank;
mod judge;
mod moderation;
mod server;

use std::sync::Arc;

use detoxlm_core::remote::Secret;
use detoxlm_core::{Registry, Result};

pub use judge::{Judge, JudgeOptions, Protocol, Words};
pub use moderation::{Categories, Moderation, ModerationOptions};
pub use server::ServerOptions;

const COMPONENT: &str = "openai";

/// The environment variable with the key.
pub const KEY_VARIABLE: &str = "OPENAI_API_KEY";

/// The key in the environment variable `OPENAI_API_KEY`; `None` when it is not set.
///
/// # Errors
/// When it holds no key.
pub fn key_from_environment() -> Result<Option<Secret>> {
    Secret::from_environment(KEY_VARIABLE)
}

/// Adds two schemes: `moderation:URL` asks the moderation endpoint below a base such as
/// `https://api.openai.com/v1`; `llama-guard:URL#MODEL` asks a guard model. The key, if one is needed, is in
/// `OPENAI_API_KEY`.
pub fn register(registry: &mut Registry) {
    registry.add_scorer("moderation:URL", |base| {
        let options = ModerationOptions::new(base);
        Ok(Arc::new(Moderation::new(key_from_environment()?, &options)?))
    });
    registry.add_scorer("llama-guard:URL#MODEL", |specification| {
        let (base, model) = specification.split_once('#').unwrap_or((specification, ""));
        let options = JudgeOptions::llama_guard(base, model);
        Ok(Arc::new(Judge::new(key_from_environment()?, &options)?))
    });
}
