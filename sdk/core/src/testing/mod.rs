//! Fakes of every trait, deterministic and fast: for tests here and in pipelines built on this.
//!
//! [`BigramLm`] is a real, trainable language model of 66,049 parameters, so that a whole pipeline
//! runs in milliseconds and training visibly changes it.

mod bigram;
mod bigram_training;
mod byte_tokenizer;
mod capital_scorer;

pub use bigram::{BigramLm, BigramLoader};
pub use bigram_training::BigramTrainBackend;
pub use byte_tokenizer::ByteTokenizer;
pub use capital_scorer::CapitalScorer;
