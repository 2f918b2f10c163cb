//! A model in half the space.

use std::path::Path;

use detoxlm_core::files::create_new_directory;
use detoxlm_core::{ErrorKind, ModelDirectory, Result};

use crate::architecture::Parameter;
use crate::checkpoint::Checkpoint;
use crate::error::error;
use crate::safetensors_file::{self, Entry};
use crate::{families, model_files};

/// Writes the model in `directory` as a new directory `out` with weights in `f16`, in one file.
///
/// # Errors
/// When `directory` holds no model of this backend, a weight is beyond what `f16` can hold (65,504), or
/// `out` exists or cannot be written.
pub fn to_half_precision(directory: impl AsRef<Path>, out: impl AsRef<Path>) -> Result<()> {
    let directory = ModelDirectory::open(directory)?;
    let architecture = families::describe(&directory)?;
    let checkpoint = Checkpoint::open(&directory, &architecture)?;
    let values: Vec<Vec<f32>> = (0..architecture.parameters.len())
        .map(|index| checkpoint.read(&architecture, Parameter(index)))
        .collect::<Result<_>>()?;
    let limit = half::f16::MAX.to_f32();
    for (name, values) in checkpoint.names().iter().zip(&values) {
        if let Some(value) = values.iter().find(|value| value.is_nan() || value.abs() > limit) {
            return Err(error(
                ErrorKind::Unsupported,
                "store a model in half precision",
                format!("{value} does not fit half precision"),
            )
            .with_path(directory.path())
            .with_key(name.clone()));
        }
    }
    let entries = checkpoint
        .names()
        .iter()
        .zip(&architecture.parameters)
        .zip(&values)
        .map(|((name, spec), values)| (name.clone(), Entry::Half { shape: &spec.shape, values }))
        .collect();
    create_new_directory(out, |partial| {
        model_files::copy(&directory, "float16", partial)?;
        safetensors_file::write(&partial.join("model.safetensors"), entries)
    })
}
