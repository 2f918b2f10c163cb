//! The core of detoxlm: what a backend or plugin implements and what a pipeline is composed of.
//!
//! No machine-learning framework is in here. Backends implement [`Generator`], [`ToxicityScorer`],
//! [`Trainer`] or, for a local model, [`causal_lm::CausalLm`] and [`training::TrainBackend`], over
//! which decoding and the training loop are written once.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod adapter;
pub mod audit;
pub mod benchmark;
pub mod calibration;
pub mod calls;
pub mod causal_lm;
pub mod corpus;
pub mod distillation;
pub mod evaluation;
pub mod files;
pub mod memory;
pub mod prompts;
pub mod rating;
pub mod report;
pub mod row_store;
pub mod run;
pub mod selection;
pub mod study;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod training;

mod attribute;
mod compute;
mod decoding;
mod device;
mod error;
mod generation;
mod info;
mod lock;
mod model_directory;
mod observer;
mod pipeline;
mod plot;
mod random;
mod registry;
mod scoring;
mod settings;
mod worker;

pub use attribute::Attribute;
pub use compute::{Compute, Precision};
pub use decoding::{LocalGenerator, LocalLikelihood, local_subject};
pub use device::Device;
pub use error::{Error, ErrorKind, Result};
pub use evaluation::{Evaluation, Evaluator, Subject};
pub use generation::{
    FinishReason, Generation, GenerationRequest, Generator, GeneratorCapabilities, Sampling,
};
pub use info::{Digest, DigestBuilder, Info};
pub use lock::DirectoryLock;
pub use model_directory::ModelDirectory;
pub use observer::{Event, Observer, Silent};
pub use pipeline::{GenerationConfig, Pipeline, PipelineConfig, RunSummary, Stage};
pub use registry::{
    FilterFactory, Framework, FrameworkFactory, LoadOptions, ModelLoader, Registry, ScorerFactory,
    split_calibration,
};
pub use scoring::layers::{self, ToxicityScorerExt};
pub use scoring::remote;
pub use scoring::{
    Decision, Filter, Sample, ScorerCapabilities, Scores, ToxicityScorer, Unscored, Verdict,
    filter_fn, score_texts, scorer_fn,
};
pub use training::Trainer;
pub use worker::{Cancellation, Worker};
