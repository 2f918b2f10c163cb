//! What a run promises, tried on whole pipelines in processes of their own.

mod child;
#[cfg(target_os = "linux")]
mod full_disk;
mod interruption;
mod lock;
#[cfg(target_os = "linux")]
mod memory;
mod tree;
