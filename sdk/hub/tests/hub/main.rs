//! Fetching from a small Hub on loopback.

mod failures;
mod fetching;
mod offline;
mod server;
mod support;
