//! A checkpoint of training: everything that the next steps depend on, bit by bit.

use std::path::Path;

use candle_core::{Device, Tensor, Var};
use detoxlm_core::Result;
use detoxlm_transformer::training_state::{self, Restored, Trained};

use super::adamw::AdamW;
use super::values::slice;
use crate::error::internal;
use crate::safetensors_file::Entry;

/// Writes weights, moments and the number of steps.
pub(crate) fn save(
    directory: &Path,
    names: &[String],
    variables: &[Var],
    adamw: &AdamW,
) -> Result<()> {
    let held: Vec<_> = variables.iter().map(|variable| variable.storage_and_layout()).collect();
    let trained = held
        .iter()
        .zip(names)
        .zip(&adamw.moments)
        .map(|(((storage, layout), name), moments)| {
            Ok(Trained {
                name,
                shape: layout.dims(),
                weight: slice(storage, layout)?,
                first_moment: &moments.first,
                second_moment: &moments.second,
            })
        })
        .collect::<candle_core::Result<Vec<_>>>()
        .map_err(internal("write a checkpoint"))?;
    training_state::save(directory, adamw.steps, &trained)
}

/// Brings back what [`save`] wrote. If anything is missing, nothing changes.
pub(crate) fn restore(
    directory: &Path,
    names: &[String],
    variables: &[Var],
    adamw: &mut AdamW,
) -> Result<()> {
    let parameters: Vec<_> =
        names.iter().zip(variables).map(|(name, var)| (name.as_str(), var.dims())).collect();
    let Restored { steps, weights, first_moments, second_moments } =
        training_state::restore(directory, &parameters)?;
    for (variable, weights) in variables.iter().zip(weights) {
        Tensor::from_vec(weights, variable.shape(), &Device::Cpu)
            .and_then(|weights| variable.set(&weights))
            .map_err(internal("restore a checkpoint"))?;
    }
    let restored = first_moments.into_iter().zip(second_moments);
    for (moments, (first, second)) in adamw.moments.iter_mut().zip(restored) {
        (moments.first, moments.second) = (first, second);
    }
    adamw.steps = steps;
    Ok(())
}

/// Lends the parameters as entries of a file, without a copy.
pub(crate) fn with_entries<R>(
    names: &[String],
    tensors: &[&Tensor],
    with: impl FnOnce(Vec<(String, Entry<'_>)>) -> Result<R>,
) -> Result<R> {
    let held: Vec<_> = tensors.iter().map(|tensor| tensor.storage_and_layout()).collect();
    let entries = held
        .iter()
        .zip(names)
        .map(|((storage, layout), name)| {
            let entry = Entry::Tensor { shape: layout.dims(), values: slice(storage, layout)? };
            Ok((name.clone(), entry))
        })
        .collect::<candle_core::Result<_>>()
        .map_err(internal("read the parameters"))?;
    with(entries)
}
