//! Models by their name on the Hugging Face Hub.
//!
//! [`Hub::resolve`] turns a [`Reference`], a directory or a name such as `openai-community/gpt2`, into
//! a directory that a [`ModelLoader`](detoxlm_core::ModelLoader) opens. It fetches the files that
//! loading needs and no others: `config.json`, `tokenizer.json`, the small files beside them, and the
//! weights in safetensors, whole or in shards.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use detoxlm_core::Silent;
//! use detoxlm_hub::{Hub, Reference};
//!
//! # async fn find() -> detoxlm_core::Result<()> {
//! let model = Reference::parse("openai-community/gpt2", Path::new(""))?;
//! let directory = Hub::from_env()?.resolve(&model, Arc::new(Silent)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The cache is the one of Python's `huggingface_hub`: what either has fetched, the other finds.
//!
//! # Why hf-hub 0.5
//! Release 1.0 brings 250 crates (asynchronous HTTP and Xet); 0.5 on `ureq` and rustls brings about
//! 20 and asks the same Hub. What it does not do is done here:
//! - It neither compares what came with what was announced nor keeps a half file apart from a whole
//!   one, so it downloads into a staging folder; length and SHA-256 are checked before a file
//!   becomes part of the cache.
//! - It knows neither `HF_HUB_OFFLINE` nor `HF_TOKEN`, and does not go on after an interruption in
//!   every case.
//!
//! Two of its limits are left: a download that stalls has no time limit (asking the Hub has), and a
//! token is sent along to the host that the Hub redirects large files to.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod cache;
mod failure;
mod files;
mod hub;
mod progress;
mod reference;
mod remote;
mod settings;

pub use hub::Hub;
pub use reference::{ModelName, Reference};
pub use settings::{HubSettings, Token};

const COMPONENT: &str = "hub";
