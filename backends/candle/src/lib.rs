//! GPT-2 and Llama families on candle: local generation, likelihood and training for detoxlm.
//!
//! Models are directories in Hugging Face's layout; what is trained is written in it again.
//!
//! | `model_type` | positions | attention | head |
//! | --- | --- | --- | --- |
//! | `gpt2` | learned | one fused projection | tied or not |
//! | `llama` | rotary; `linear` and `llama3` scaling | grouped queries, optional biases | tied or not |
//! | `qwen2` | the same | grouped queries, biases on queries, keys and values | tied or not |
//!
//! Weights may be `f32`, `f16` or `bf16`, in one safetensors file or in shards. Everything is computed
//! in `f32` on the processor, on threads that the backend owns ([`CandleOptions`]), and has the same
//! bits whatever their number. Options of a configuration that are not built are refused by name.
//!
//! - [`CandleLm`] decodes and rates text, batch-invariantly; [`CandleLm::with_adapter`] gives the same
//!   model with an adapter.
//! - [`CandleTrainBackend`] fine-tunes all parameters, or bottleneck adapters, LoRA or a prefix that
//!   are added to them.
//! - [`merge`] folds LoRA into its base.
//! - [`register`] makes both known as the framework `candle`.
//! - [`initialise`] makes a model to be trained from nothing, [`to_half_precision`] one to be shipped.
//! - `write_embedded_model` unpacks the small language model that comes with the feature `embedded`.
//! - [`CandleDistiller`] trains a small toxicity classifier and writes it as ONNX.
//! - [`convert_llama2c`] brings models of llama2.c into Hugging Face's layout.
//!
//! ```
//! use detoxlm_candle::{CandleLm, CandleOptions};
//! use detoxlm_core::causal_lm::{CausalLm, Logits, RowTokens};
//!
//! # fn main() -> detoxlm_core::Result<()> {
//! # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models/gpt2");
//! let model = CandleLm::open(directory, CandleOptions::default())?;
//! let prompt = model.tokenizer().encode("The river runs")?;
//! let mut session = model.decode_session(2, 64)?;
//! let first = session.admit()?;
//! let mut logits = Logits::default();
//! session.step(&[RowTokens { row: first, tokens: &prompt }], &mut logits)?;
//! assert_eq!(logits.row(0).len(), model.capabilities().vocabulary);
//! // A second continuation does not read the prompt again.
//! let second = session.fork(first)?;
//! let entries = [first, second].map(|row| RowTokens { row, tokens: &prompt[..1] });
//! session.step(&entries, &mut logits)?;
//! assert_eq!(logits.row(0), logits.row(1));
//! # Ok(())
//! # }
//! ```

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod causal_lm;
mod ceilings;
mod classifier;
mod eager;
#[cfg(feature = "embedded")]
mod embedded;
mod error;
mod inference;
mod llama2c;
mod loader;
mod merge;
mod options;
mod rope;
mod training;

// What has no tensor in it is shared with other backends, and is called here as if it were ours.
use detoxlm_transformer::{
    adapters, architecture, checkpoint, families, model_files, safetensors_file, weights,
};
pub use detoxlm_transformer::{initialise, to_half_precision};

pub use causal_lm::CandleLm;
pub use classifier::CandleDistiller;
pub use eager::gpu;
#[cfg(feature = "embedded")]
pub use embedded::write_embedded_model;
pub use llama2c::convert_llama2c;
pub use loader::{CandleLoader, register};
pub use merge::{MergeCheck, merge};
pub use options::CandleOptions;
pub use training::CandleTrainBackend;
