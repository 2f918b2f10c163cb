//! The committed classifiers through whichever engine this process has.
#![cfg(any(feature = "tract", feature = "onnxruntime"))]

mod common;
mod concurrency;
mod errors;
mod graphs;
mod memory;
mod scores;
