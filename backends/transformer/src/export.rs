//! What was trained, in the files in which others read it.

use std::path::Path;

use detoxlm_core::adapter::{AdapterBase, AdapterConfig, AdapterDirectory};
use detoxlm_core::{ModelDirectory, Result};

use crate::architecture::Architecture;
use crate::model_files;
use crate::safetensors_file::{self, Entry};

/// Writes a model directory with these parameters beside the files of the base model, in one file. A
/// tied head is the embedding and is not written again.
///
/// # Errors
/// When a file cannot be written.
pub fn model(
    base: &ModelDirectory,
    parameters: Vec<(String, Entry<'_>)>,
    directory: &Path,
) -> Result<()> {
    model_files::copy(base, "float32", directory)?;
    safetensors_file::write(&directory.join("model.safetensors"), parameters)
}

/// Writes an adapter of `base` in the files of its ecosystem.
///
/// # Errors
/// When a file cannot be written.
pub fn adapter(
    base: &ModelDirectory,
    architecture: &Architecture,
    config: &AdapterConfig,
    parameters: Vec<(String, Entry<'_>)>,
    directory: &Path,
) -> Result<()> {
    AdapterDirectory::write(directory, config, &AdapterBase::of(base, architecture.width)?)?;
    safetensors_file::write(&directory.join(config.weights_file()), parameters)
}
