//! A running mean of weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017).

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use crate::training::gradients::CHUNK;
use crate::training::values::read;

/// The mean of some parameters, one list for each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Average {
    /// How much of it stays at a step, in the long run.
    kept: f64,
    pub(super) values: Vec<Vec<f32>>,
}

impl Average {
    /// Begins with the values that there are.
    pub(super) fn new<'a>(kept: f64, parameters: impl Iterator<Item = &'a Tensor>) -> Result<Self> {
        let values = parameters.map(|tensor| read(tensor, <[f32]>::to_vec)).collect::<Result<_>>();
        Ok(Self { kept, values: values? })
    }

    /// Adds the parameters as they are after step `step`, counted from 1. Less stays in the beginning,
    /// where the weights that it began with are worth nothing.
    pub(super) fn add<'a>(
        &mut self,
        step: u64,
        parameters: impl Iterator<Item = &'a Tensor>,
    ) -> Result<()> {
        let step = step as f64;
        let share = (1.0 - self.kept.min((1.0 + step) / (10.0 + step))) as f32;
        for (mean, parameter) in self.values.iter_mut().zip(parameters) {
            read(parameter, |values| {
                mean.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(
                    |(mean, values)| {
                        for (mean, value) in mean.iter_mut().zip(values) {
                            *mean += share * (value - *mean);
                        }
                    },
                );
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn it_forgets_its_beginning_and_then_keeps_its_share() {
        let tensor = |value: f32| Tensor::new(&[value], &Device::Cpu).unwrap();
        let mut average = Average::new(0.5, [&tensor(8.0)].into_iter()).unwrap();
        average.add(1, [&tensor(2.0)].into_iter()).unwrap();
        let first = 8.0 + (1.0 - 2.0 / 11.0) * (2.0 - 8.0);
        assert!((average.values[0][0] - first).abs() < 1e-5);
        average.add(1_000, [&tensor(0.0)].into_iter()).unwrap();
        assert!((average.values[0][0] - first / 2.0).abs() < 1e-5);
    }
}
