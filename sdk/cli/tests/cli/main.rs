//! The program as its users call it: arguments, streams, files, exit codes.

mod arguments;
#[cfg(all(feature = "candle", feature = "onnx"))]
mod distill;
#[cfg(feature = "hub")]
mod hub;
mod methods;
mod models;
#[cfg(feature = "defaults")]
mod quickstart;
mod score;
mod select;
mod support;
