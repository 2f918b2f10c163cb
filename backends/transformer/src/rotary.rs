//! Angles of the rotary position embedding, and how they are scaled to longer contexts.

use std::f32::consts::PI;

/// A rotary position embedding over whole heads (Su et al. 2021).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary {
    /// `rope_theta`.
    pub base: f64,
    /// To contexts longer than the original.
    pub scaling: RotaryScaling,
}

/// How angles differ from those of the original context length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RotaryScaling {
    /// They do not.
    None,
    /// Every angle is divided by `factor`.
    Linear {
        /// How many times as long the context is.
        factor: f64,
    },
    /// Llama 3.1: slow angles are divided by `factor`, fast ones kept, those between interpolated.
    Llama3 {
        /// How many times as long the context is.
        factor: f64,
        /// Wavelengths above the original context over this are slow.
        low_frequency_factor: f64,
        /// Wavelengths below the original context over this are fast.
        high_frequency_factor: f64,
        /// Tokens of the original context.
        original_context: usize,
    },
}

impl Rotary {
    /// Cosines and sines of positions below `positions`, each (positions, `head_width / 2`) row-major.
    ///
    /// Frequencies and angles are rounded to `f32` where `transformers` rounds them: at position
    /// 4000 an exact angle differs visibly from the one that the model was trained with.
    #[must_use]
    pub fn tables(&self, head_width: usize, positions: usize) -> (Vec<f32>, Vec<f32>) {
        let frequencies = self.frequencies(head_width);
        let angles = (0..positions).flat_map(|position| {
            frequencies.iter().map(move |frequency| f64::from(position as f32 * frequency))
        });
        angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip()
    }

    /// Radians per position of each pair of dimensions.
    #[must_use]
    pub fn frequencies(&self, head_width: usize) -> Vec<f32> {
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
        let (cos, sin) = rotary.tables(4, 3);
        assert_eq!(cos.len(), 6);
        assert_eq!(cos[..2], [1.0, 1.0]);
        assert!((sin[4] - 2_f32.sin()).abs() < 1e-6);
        assert!((sin[5] - 0.02_f32.sin()).abs() < 1e-6);
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
