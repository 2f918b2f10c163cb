//! Angles of the rotary position embedding, and how they are scaled to longer contexts.

use std::f32::consts::PI;

use candle_core::Result;
use candle_fused_ops::Rope;
use candle_fused_ops::infer::{RopeTable, rope_table};

/// A rotary position embedding over whole heads (Su et al. 2021).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rotary {
    /// `rope_theta`.
    pub(crate) base: f64,
    pub(crate) scaling: RotaryScaling,
}

/// How angles differ from those of the original context length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RotaryScaling {
    None,
    /// Every angle is divided by `factor`.
    Linear {
        factor: f64,
    },
    /// Llama 3.1: slow angles are divided by `factor`, fast ones kept, those between interpolated.
    Llama3 {
        factor: f64,
        low_frequency_factor: f64,
        high_frequency_factor: f64,
        original_context: usize,
    },
}

impl Rotary {
    /// Cosines and sines for training, of positions below `positions`.
    ///
    /// Frequencies and angles are rounded to `f32` where `transformers` rounds them: at position
    /// 4000 an exact angle differs visibly from the one that the model was trained with.
    pub(crate) fn training_table(&self, head_width: usize, positions: usize) -> Result<Rope> {
        let frequencies = self.frequencies(head_width);
        let angles = (0..positions).flat_map(|position| {
            frequencies.iter().map(move |frequency| f64::from(position as f32 * frequency))
        });
        let (cos, sin) = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        Rope::from_tables(cos, sin, head_width)
    }

    /// The same for decoding.
    pub(crate) fn decoding_table(&self, head_width: usize, positions: usize) -> Result<RopeTable> {
        // What makes the exact frequencies ours, so that both tables have the same bits.
        let factors: Vec<_> = self
            .frequencies(head_width)
            .iter()
            .enumerate()
            .map(|(pair, &frequency)| {
                let exact = self.base.powf(-2.0 * pair as f64 / head_width as f64);
                f64::from(frequency) / exact
            })
            .collect();
        rope_table(positions, head_width, self.base, Some(&factors))
    }

    /// Radians per position of each pair of dimensions.
    fn frequencies(&self, head_width: usize) -> Vec<f32> {
        (0..head_width / 2)
            .map(|pair| {
                let exponent = (2 * pair) as f32 / head_width as f32;
                let frequency = 1.0 / (self.base.powf(f64::from(exponent)) as f32);
                self.scaling.apply(frequency)
            })
            .collect()
    }
}

impl RotaryScaling {
    fn apply(self, frequency: f32) -> f32 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor as f32,
            Self::Llama3 {
                factor,
                low_frequency_factor: low,
                high_frequency_factor: high,
                original_context,
            } => {
                let (factor, low, high) = (factor as f32, low as f32, high as f32);
                let context = original_context as f32;
                let wavelength = 2.0 * PI / frequency;
                if wavelength > context / low {
                    frequency / factor
                } else if wavelength < context / high {
                    frequency
                } else {
                    let smooth = (context / wavelength - low) / (high - low);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_follow_the_formula() {
        let rotary = Rotary { base: 10_000.0, scaling: RotaryScaling::None };
        let table = rotary.training_table(4, 3).unwrap();
        assert_eq!(table.cos().len(), 6);
        assert_eq!(table.cos()[..2], [1.0, 1.0]);
        assert!((table.sin()[4] - 2_f32.sin()).abs() < 1e-6);
        assert!((table.sin()[5] - 0.02_f32.sin()).abs() < 1e-6);
    }

    #[test]
    fn scaling_slows_what_it_should() {
        let linear = Rotary { base: 10_000.0, scaling: RotaryScaling::Linear { factor: 4.0 } };
        assert_eq!(linear.frequencies(4), [0.25, 0.0025]);
        let llama3 = Rotary {
            base: 500_000.0,
            scaling: RotaryScaling::Llama3 {
                factor: 8.0,
                low_frequency_factor: 1.0,
                high_frequency_factor: 4.0,
                original_context: 64,
            },
        };
        let plain = Rotary { base: 500_000.0, scaling: RotaryScaling::None }.frequencies(8);
        let scaled = llama3.frequencies(8);
        // Wavelengths of 6, 167, 4443 and more, against bounds of 16 and 64.
        assert_eq!(scaled[0], plain[0]);
        assert_eq!(scaled[3], plain[3] / 8.0);
        let between = llama3.scaling.apply(2.0 * PI / 32.0);
        assert!(between < 2.0 * PI / 32.0 && between > 2.0 * PI / 256.0);
    }
}
