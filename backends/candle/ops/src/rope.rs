//! Rotary position embedding.

use std::sync::Arc;

use candle_core::{Result, bail};

/// Precomputed angles of the rotary position embedding (Su et al. 2021), in the convention of
/// Hugging Face's Llama and GPT-NeoX: dimension `i` is rotated together with dimension
/// `i + rotary_dim / 2` of the same head (`rotate_half`).
///
/// Heads wider than `rotary_dim` keep their remaining dimensions as they are (GPT-NeoX's
/// `rotary_pct`). Cloning shares the tables.
#[derive(Clone, Debug)]
pub struct Rope {
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
    rotary_dim: usize,
    positions: usize,
}

/// Which way to turn: the backward pass of a rotation is the rotation back.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Turn {
    Forward,
    Back,
}

impl Rope {
    /// The tables for angles `position * base^(-2 i / rotary_dim)`, `i` below `rotary_dim / 2`, and
    /// positions from 0 to `positions - 1`. Llama 2 and GPT-NeoX have the base 10000.
    ///
    /// # Errors
    /// If `rotary_dim` is zero or odd.
    pub fn new(base: f64, rotary_dim: usize, positions: usize) -> Result<Self> {
        Self::check_dim(rotary_dim)?;
        let half = rotary_dim / 2;
        let angles = (0..positions * half).map(|index| {
            let (position, i) = (index / half, index % half);
            position as f64 * base.powf(-2.0 * i as f64 / rotary_dim as f64)
        });
        let (cos, sin): (Vec<_>, Vec<_>) =
            angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        Ok(Self { cos: cos.into(), sin: sin.into(), rotary_dim, positions })
    }

    /// Tables made elsewhere, for scaled variants: both are `(positions, rotary_dim / 2)`, row-major.
    ///
    /// # Errors
    /// If `rotary_dim` is zero or odd, or the tables are not of one length or not whole rows.
    pub fn from_tables(cos: Vec<f32>, sin: Vec<f32>, rotary_dim: usize) -> Result<Self> {
        Self::check_dim(rotary_dim)?;
        let half = rotary_dim / 2;
        if cos.len() != sin.len() || !cos.len().is_multiple_of(half) {
            bail!(
                "rope: tables of {} cosines and {} sines are not two tables of whole rows of {half}",
                cos.len(),
                sin.len(),
            )
        }
        let positions = cos.len() / half;
        Ok(Self { cos: cos.into(), sin: sin.into(), rotary_dim, positions })
    }

    fn check_dim(rotary_dim: usize) -> Result<()> {
        if rotary_dim == 0 || rotary_dim % 2 == 1 {
            bail!("rope: rotary_dim must be even and positive, but is {rotary_dim}")
        }
        Ok(())
    }

    /// How many dimensions of a head are rotated.
    pub fn rotary_dim(&self) -> usize {
        self.rotary_dim
    }

    /// How many positions the tables cover: the longest sequence they serve.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Cosines, `(positions, rotary_dim / 2)`, row-major.
    pub fn cos(&self) -> &[f32] {
        &self.cos
    }

    /// Sines, `(positions, rotary_dim / 2)`, row-major.
    pub fn sin(&self) -> &[f32] {
        &self.sin
    }

    /// Turns the first `rotary_dim` elements of a head at a position, in place.
    pub(crate) fn rotate(&self, head: &mut [f32], position: usize, turn: Turn) {
        let half = self.rotary_dim / 2;
        let row = position * half..(position + 1) * half;
        let (cos, sin) = (&self.cos[row.clone()], &self.sin[row]);
        let sign = if turn == Turn::Forward { 1.0 } else { -1.0 };
        let (first, second) = head[..self.rotary_dim].split_at_mut(half);
        for (((a, b), &cos), &sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            let sin = sign * sin;
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_back_undoes_a_turn_and_leaves_the_rest() {
        let rope = Rope::new(10000.0, 4, 9).unwrap();
        let original = [1.0, 2.0, 3.0, 4.0, 5.0];
        let mut head = original;
        rope.rotate(&mut head, 8, Turn::Forward);
        assert!((head[0] - (8f32.cos() - 3.0 * 8f32.sin())).abs() < 1e-6);
        assert_eq!(head[4], 5.0);
        rope.rotate(&mut head, 8, Turn::Back);
        assert!(head.iter().zip(original).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn tables_must_fit() {
        assert!(Rope::new(10000.0, 3, 4).is_err());
        assert!(Rope::from_tables(vec![1.0; 4], vec![0.0; 6], 4).is_err());
        assert_eq!(Rope::from_tables(vec![1.0; 6], vec![0.0; 6], 4).unwrap().positions(), 3);
    }
}
