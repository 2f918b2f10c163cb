//! The HTTP side of asking a service: one request and its answer. Needs the feature `http`.
//!
//! A key is a [`Secret`]: it is sent to the endpoint over TLS, or to this machine, and shown nowhere, in
//! no error, `Debug` output, record or report; where a service repeats it, it is taken out.
//!
//! TLS is rustls on `ring`. Unless the program installed a `CryptoProvider` of its own, opening a client
//! installs that one for the process.

mod client;
mod received;
mod secret;

pub use client::{HttpClient, HttpOptions, KeyPlace};
pub use received::{Received, one_line};
pub use secret::{Redaction, Secret};
