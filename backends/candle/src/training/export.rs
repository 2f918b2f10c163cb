//! A trained model as a directory that `transformers` and this backend read.

use std::path::Path;

use candle_core::Var;
use detoxlm_core::{ModelDirectory, Result};

use super::state::with_entries;
use crate::{model_files, safetensors_file};

/// Writes the parameters under the names and in the shapes of the base model, in `f32` and in one
/// file. A tied head is the embedding and is not written again.
pub(super) fn export(
    base: &ModelDirectory,
    names: &[String],
    variables: &[Var],
    directory: &Path,
) -> Result<()> {
    model_files::copy(base, "float32", directory)?;
    with_entries(names, variables, |entries| {
        safetensors_file::write(&directory.join("model.safetensors"), entries)
    })
}
