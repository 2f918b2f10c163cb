//! The scorer, the recorder and the replay against a server on loopback that counts, and misbehaves.

mod contracts;
mod faults;
mod record;
mod requests;
mod secrets;
mod support;
