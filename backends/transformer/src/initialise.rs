//! A model that nobody has trained yet.

use std::path::Path;

use detoxlm_core::files::create_new_directory;
use detoxlm_core::training::normal_values;
use detoxlm_core::{ModelDirectory, Result};
use rayon::prelude::*;

use crate::architecture::{Architecture, Parameter, Role};
use crate::safetensors_file::{self, Entry};
use crate::{families, model_files};

/// Standard deviation of matrices.
const SPREAD: f64 = 0.02;

/// Writes a new model directory `out`: what `description` says (`config.json`, `tokenizer.json`), with
/// random weights.
///
/// As GPT-2 (Radford et al. 2019): matrices and embeddings are normally distributed with a standard
/// deviation of 0.02, those that write into the residual stream, two per layer, of
/// 0.02 / sqrt(2 layers), so that its variance does not grow with depth; norms are the identity,
/// biases 0. The same seed gives the same weights.
///
/// # Errors
/// When `description` has no `config.json` of a family that this backend knows, or `out` exists or
/// cannot be written.
pub fn initialise(description: impl AsRef<Path>, seed: u64, out: impl AsRef<Path>) -> Result<()> {
    let description = ModelDirectory::open_untrained(description)?;
    let architecture = families::describe(&description)?;
    let values = initial_values(&architecture, seed);
    let entries = architecture
        .names(architecture.prefix)
        .into_iter()
        .zip(&architecture.parameters)
        .zip(&values)
        .map(|((name, spec), values)| (name, Entry::Tensor { shape: &spec.shape, values }))
        .collect();
    create_new_directory(out, |directory| {
        model_files::copy(&description, "float32", directory)?;
        safetensors_file::write(&directory.join("model.safetensors"), entries)
    })
}

/// One list per parameter, in the architecture's order.
fn initial_values(architecture: &Architecture, seed: u64) -> Vec<Vec<f32>> {
    let mut spreads = vec![SPREAD; architecture.parameters.len()];
    for Parameter(index) in architecture.residual_writers() {
        spreads[index] = SPREAD / (2.0 * architecture.blocks.len() as f64).sqrt();
    }
    architecture
        .parameters
        .par_iter()
        .zip(spreads)
        .enumerate()
        .map(|(index, (spec, spread))| {
            let count = spec.shape.iter().product();
            match spec.role {
                Role::Weight => normal_values(seed, index as u64, spread).take(count).collect(),
                Role::Scale => vec![1.0; count],
                Role::Bias => vec![0.0; count],
            }
        })
        .collect()
}
