//! The program as its users call it: arguments, streams, files, exit codes.

mod arguments;
#[cfg(feature = "hub")]
mod hub;
mod models;
mod score;
mod select;
mod support;
