//! Weights that nothing has been learned of yet.

use detoxlm_core::training::normal_values;

use super::network::{COUNT, Sizes, VECTORS};

/// A list of values for each parameter of the network: the vectors as given; matrices normally
/// distributed with a variance of a third of what feeds an output (He et al. 2015, as PyTorch has it
/// for a layer of which nothing is known); biases 0.
pub(super) fn initial_values(sizes: &Sizes, vectors: Vec<f32>, seed: u64) -> Vec<Vec<f32>> {
    let mut values: Vec<Vec<f32>> = Vec::with_capacity(COUNT);
    for (parameter, spec) in sizes.specs().into_iter().enumerate() {
        let inputs = sizes.inputs(parameter);
        values.push(match (parameter, inputs.as_slice()) {
            (VECTORS, _) => Vec::new(),
            (_, []) => vec![0.0; spec.elements()],
            (_, inputs) => normal_values(seed, parameter as u64, 1.0)
                .take(spec.elements())
                .enumerate()
                .map(|(at, value)| value / (3.0 * inputs[at % inputs.len()] as f32).sqrt())
                .collect(),
        });
    }
    values[VECTORS] = vectors;
    values
}
