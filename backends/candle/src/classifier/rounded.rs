//! Weights as they are stored: token vectors in bytes with a scale for each token, the rest in half
//! precision.

use half::f16;

use super::network::{Sizes, VECTORS};

/// The largest byte.
const BYTE: f32 = 127.0;
/// Of a vector of nothing but zeros.
const SMALLEST_SCALE: f32 = 1e-8;

/// The stored form of a network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rounded {
    pub(super) sizes: Sizes,
    /// `(vocabulary, width)`.
    pub(super) bytes: Vec<i8>,
    /// A token's vector is this times its bytes.
    pub(super) scales: Vec<f32>,
    /// The other parameters, in the network's order.
    pub(super) halves: Vec<Vec<f16>>,
}

impl Rounded {
    pub(super) fn new(sizes: Sizes, weights: &[Vec<f32>]) -> Self {
        let (mut bytes, mut scales) = (Vec::new(), Vec::new());
        for vector in weights[VECTORS].chunks_exact(sizes.width) {
            let largest = vector.iter().fold(0_f32, |largest, x| largest.max(x.abs()));
            let scale = (largest / BYTE).max(SMALLEST_SCALE);
            bytes.extend(
                vector.iter().map(|x| (x / scale).round_ties_even().clamp(-BYTE, BYTE) as i8),
            );
            scales.push(scale);
        }
        let half = |values: &Vec<f32>| values.iter().map(|&x| f16::from_f32(x)).collect();
        let halves = weights[VECTORS + 1..].iter().map(half).collect();
        Self { sizes, bytes, scales, halves }
    }

    /// What a reader of the stored form computes with, in the network's order.
    pub(super) fn weights(&self) -> Vec<Vec<f32>> {
        let vectors = self
            .bytes
            .chunks_exact(self.sizes.width)
            .zip(&self.scales)
            .flat_map(|(bytes, scale)| bytes.iter().map(move |&byte| f32::from(byte) * scale))
            .collect();
        let others = self.halves.iter().map(|half| half.iter().map(|x| x.to_f32()).collect());
        std::iter::once(vectors).chain(others).collect()
    }

    /// How many weights there are.
    pub(super) fn parameters(&self) -> u64 {
        self.sizes.specs().iter().map(|spec| spec.elements() as u64).sum()
    }
}
