//! A checkpoint of a training: everything that the next steps depend on, bit by bit. Whatever
//! framework wrote it, another can go on from it.

use std::path::Path;

use detoxlm_core::{ErrorKind, Result};

use crate::error::error;
use crate::safetensors_file::{self, Entry};
use crate::weights::Weights;

const FILE: &str = "state.safetensors";
const STEPS: &str = "steps";

/// A trained parameter with AdamW's running means of its gradient and of the gradient's square.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// As in a file of weights.
    pub name: &'a str,
    /// Its dimensions, which the moments share.
    pub shape: &'a [usize],
    /// Row-major, as all three.
    pub weight: &'a [f32],
    /// Of the gradient.
    pub first_moment: &'a [f32],
    /// Of its square.
    pub second_moment: &'a [f32],
}

/// What a checkpoint holds, in the order of the names it was asked for.
#[derive(Debug)]
pub struct Restored {
    /// Steps taken.
    pub steps: u64,
    /// One list per parameter, as all three.
    pub weights: Vec<Vec<f32>>,
    /// Of the gradients.
    pub first_moments: Vec<Vec<f32>>,
    /// Of their squares.
    pub second_moments: Vec<Vec<f32>>,
}

fn key(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

/// Writes weights, moments and the number of steps.
///
/// # Errors
/// When a weight is not finite ([`ErrorKind::Diverged`]): a checkpoint is always one to go on from. When
/// the file cannot be written.
pub fn save(directory: &Path, steps: u64, parameters: &[Trained<'_>]) -> Result<()> {
    let broken =
        |parameter: &&Trained<'_>| parameter.weight.iter().any(|weight| !weight.is_finite());
    if let Some(Trained { name, .. }) = parameters.iter().find(broken) {
        let message = format!("the weights of {name} are not finite");
        return Err(error(ErrorKind::Diverged, "write a checkpoint", message));
    }
    let mut entries = vec![(STEPS.to_owned(), Entry::Counter(steps))];
    for &Trained { name, shape, weight, first_moment, second_moment } in parameters {
        for (kind, values) in
            [("first_moment", first_moment), ("second_moment", second_moment), ("weight", weight)]
        {
            entries.push((key(kind, name), Entry::Tensor { shape, values }));
        }
    }
    safetensors_file::write(&directory.join(FILE), entries)
}

/// Reads what [`save`] wrote of parameters with these names and shapes.
///
/// # Errors
/// When the file cannot be read, or holds other parameters.
pub fn restore(directory: &Path, parameters: &[(&str, &[usize])]) -> Result<Restored> {
    let path = directory.join(FILE);
    let file = Weights::open(std::slice::from_ref(&path))?;
    let (found, expected) = (file.names().count(), 3 * parameters.len() + 1);
    if found != expected {
        return Err(error(
            ErrorKind::Incompatible,
            "restore a checkpoint",
            format!("it holds {found} tensors instead of {expected}"),
        )
        .with_path(path)
        .with_remedy("it belongs to another model"));
    }
    let steps = file.read_counter(STEPS)?;
    let all = |kind| -> Result<Vec<_>> {
        parameters.iter().map(|(name, shape)| file.read(&key(kind, name), shape)).collect()
    };
    let (weights, first_moments, second_moments) =
        (all("weight")?, all("first_moment")?, all("second_moment")?);
    Ok(Restored { steps, weights, first_moments, second_moments })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(weight: &[f32]) -> Trained<'_> {
        Trained {
            name: "a",
            shape: &[2],
            weight,
            first_moment: &[3.0, 4.0],
            second_moment: &[5.0, 6.0],
        }
    }

    #[test]
    fn what_is_saved_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        save(directory.path(), 7, &[parameter(&[1.0, -2.0])]).unwrap();
        let restored = restore(directory.path(), &[("a", &[2])]).unwrap();
        assert_eq!(restored.steps, 7);
        assert_eq!(restored.weights, [[1.0, -2.0]]);
        assert_eq!(restored.first_moments, [[3.0, 4.0]]);
        assert_eq!(restored.second_moments, [[5.0, 6.0]]);
    }

    #[test]
    fn nothing_to_go_on_from_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let error = save(directory.path(), 1, &[parameter(&[1.0, f32::NAN])]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Diverged);
        assert!(!directory.path().join(FILE).exists());
    }
}
