//! A checkpoint of training: everything that the next steps depend on, bit by bit.

use std::path::Path;

use candle_core::{Device, Tensor, Var};
use detoxlm_core::{ErrorKind, Result};

use super::adamw::AdamW;
use super::values::{read, slice};
use crate::error::{error, internal};
use crate::safetensors_file::{self, Entry};
use crate::weights::Weights;

const FILE: &str = "state.safetensors";
const STEPS: &str = "steps";

fn key(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

/// Writes weights, moments and the number of steps.
pub(crate) fn save(
    directory: &Path,
    names: &[String],
    variables: &[Var],
    adamw: &AdamW,
) -> Result<()> {
    refuse_what_is_not_finite(names, variables)?;
    let tensors: Vec<_> = variables.iter().map(Var::as_tensor).collect();
    with_entries(names, &tensors, |weights| {
        let mut entries = vec![(STEPS.to_owned(), Entry::Counter(adamw.steps))];
        for ((name, entry), (variable, moments)) in
            weights.into_iter().zip(variables.iter().zip(&adamw.moments))
        {
            let shape = variable.dims();
            let first = Entry::Tensor { shape, values: &moments.first };
            let second = Entry::Tensor { shape, values: &moments.second };
            entries.push((key("first_moment", &name), first));
            entries.push((key("second_moment", &name), second));
            entries.push((key("weight", &name), entry));
        }
        safetensors_file::write(&directory.join(FILE), entries)
    })
}

/// A checkpoint is always one to go on from.
fn refuse_what_is_not_finite(names: &[String], variables: &[Var]) -> Result<()> {
    for (name, variable) in names.iter().zip(variables) {
        let is_finite = read(variable, |values| values.iter().all(|value| value.is_finite()))
            .map_err(internal("write a checkpoint"))?;
        if !is_finite {
            let message = format!("the weights of {name} are not finite");
            return Err(error(ErrorKind::Diverged, "write a checkpoint", message));
        }
    }
    Ok(())
}

/// Brings back what [`save`] wrote. If anything is missing, nothing changes.
pub(crate) fn restore(
    directory: &Path,
    names: &[String],
    variables: &[Var],
    adamw: &mut AdamW,
) -> Result<()> {
    let path = directory.join(FILE);
    let file = Weights::open(std::slice::from_ref(&path))?;
    let expected = 3 * names.len() + 1;
    if file.names().count() != expected {
        return Err(error(
            ErrorKind::Incompatible,
            "restore a checkpoint",
            format!("it holds {} tensors instead of {expected}", file.names().count()),
        )
        .with_path(path)
        .with_remedy("it belongs to another model"));
    }
    let steps = file.read_counter(STEPS)?;
    let read = |kind, index: usize| file.read(&key(kind, &names[index]), variables[index].dims());
    let all = |kind| (0..names.len()).map(|index| read(kind, index)).collect::<Result<Vec<_>>>();
    let (weights, first, second) = (all("weight")?, all("first_moment")?, all("second_moment")?);
    for (variable, weights) in variables.iter().zip(weights) {
        Tensor::from_vec(weights, variable.shape(), &Device::Cpu)
            .and_then(|weights| variable.set(&weights))
            .map_err(internal("restore a checkpoint"))?;
    }
    for (moments, (first, second)) in adamw.moments.iter_mut().zip(first.into_iter().zip(second)) {
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
