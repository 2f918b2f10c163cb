//! What was trained, in the files in which others read it.

use std::path::Path;

use candle_core::Tensor;
use detoxlm_core::{ModelDirectory, Result};

use super::state::with_entries;
use crate::{model_files, safetensors_file};

/// Writes a model directory with the parameters under the names and in the shapes of the base model,
/// in `f32` and in one file. A tied head is the embedding and is not written again.
pub(super) fn model(
    base: &ModelDirectory,
    names: &[String],
    parameters: &[&Tensor],
    directory: &Path,
) -> Result<()> {
    model_files::copy(base, "float32", directory)?;
    tensors(names, parameters, &directory.join("model.safetensors"))
}

/// Writes tensors in `f32`.
pub(super) fn tensors(names: &[String], tensors: &[&Tensor], file: &Path) -> Result<()> {
    with_entries(names, tensors, |entries| safetensors_file::write(file, entries))
}
