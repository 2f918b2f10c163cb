//! What a run promises, tried on whole pipelines in processes of their own.

mod child;
mod failures;
#[cfg(target_os = "linux")]
mod full_disk;
mod interruption;
mod invariance;
mod lock;
#[cfg(target_os = "linux")]
mod memory;
mod tree;
