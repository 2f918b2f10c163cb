//! The program as its users call it: arguments, streams, files, exit codes.

mod arguments;
mod audit;
#[cfg(feature = "candle")]
mod backends;
mod bench;
mod calibration;
#[cfg(all(feature = "candle", feature = "onnx"))]
mod distill;
mod doctor;
#[cfg(feature = "defaults")]
mod evaluate;
#[cfg(feature = "hub")]
mod hub;
mod methods;
mod models;
#[cfg(feature = "plugins")]
mod plugins;
#[cfg(feature = "defaults")]
mod quickstart;
#[cfg(feature = "perspective")]
mod record;
mod score;
mod select;
#[cfg(feature = "serve")]
mod serve;
mod support;
