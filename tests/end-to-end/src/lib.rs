//! Pipelines that the end-to-end tests run, in this process and, to be killed, in others.

use std::path::{Path, PathBuf};

mod setup;
mod steps;

pub use setup::Setup;
pub use steps::OnPermission;

/// A file or directory among the fixtures of the workspace's tests.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures")).join(name)
}
