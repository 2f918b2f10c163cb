//! The committed classifiers through whichever engine this process has.
#![cfg(any(feature = "tract", feature = "onnxruntime"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint cannot see")]

mod common;
mod concurrency;
mod errors;
mod graphs;
mod scores;
