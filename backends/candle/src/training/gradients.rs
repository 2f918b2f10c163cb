//! Gradients, added up over batches.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use rayon::prelude::*;

use super::values::{modify, read};

/// Elements that a thread takes at a time; also the fixed piece of a sum, so that the number of
/// threads does not change its bits.
pub(crate) const CHUNK: usize = 1 << 16;

/// One gradient per parameter, or none yet.
#[derive(Debug)]
pub(crate) struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    pub(crate) fn none(parameters: usize) -> Self {
        Self(vec![None; parameters])
    }

    /// Adds what a backward pass computed, taking it out of the store. The first gradient is kept as
    /// it is, without a copy.
    pub(crate) fn add(&mut self, variables: &[Var], store: &mut GradStore) -> Result<()> {
        for (sum, variable) in self.0.iter_mut().zip(variables) {
            let Some(gradient) = store.remove(variable) else { continue };
            let gradient = gradient.contiguous()?;
            match sum {
                None => *sum = Some(gradient),
                Some(sum) => {
                    read(&gradient, |gradient| modify(sum, |sum| add_values(sum, gradient)))??;
                }
            }
        }
        Ok(())
    }

    /// That every parameter has a gradient: one that none reaches would silently stay as it was.
    pub(crate) fn require_all(&self, variables: &[Var]) -> Result<()> {
        match self.0.iter().position(Option::is_none) {
            Some(index) => bail!(
                "no gradient reaches parameter {index} of shape {:?}",
                variables[index].dims()
            ),
            None => Ok(()),
        }
    }

    /// The global L2 norm.
    pub(crate) fn norm(&self) -> Result<f64> {
        let mut squares = 0.0;
        for gradient in self.0.iter().flatten() {
            let partials: Vec<f64> =
                read(gradient, |values| values.par_chunks(CHUNK).map(sum_of_squares).collect())?;
            squares += partials.iter().sum::<f64>();
        }
        Ok(squares.sqrt())
    }

    pub(crate) fn get(&self, parameter: usize) -> Option<&Tensor> {
        self.0.get(parameter)?.as_ref()
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(None);
    }
}

fn add_values(sum: &mut [f32], values: &[f32]) {
    sum.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(|(sum, values)| {
        for (sum, value) in sum.iter_mut().zip(values) {
            *sum += value;
        }
    });
}

/// In eight sums that the compiler keeps in one vector.
fn sum_of_squares(values: &[f32]) -> f64 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        for (sum, &value) in sums.iter_mut().zip(eight) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    sums.iter().sum::<f64>() + rest
}
