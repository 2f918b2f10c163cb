//! Perspective API as a detoxlm toxicity scorer.
//!
//! [`protocol`] has what goes over the wire, for a client and for a server that speaks it.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
