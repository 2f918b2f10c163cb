//! Rotary position embeddings.

use candle_core::{Result, bail};

use super::parallel::{self, Shared};

/// Cosines and sines of every position and frequency.
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// (positions, rotary_dim / 2)
    cos: Vec<f32>,
    sin: Vec<f32>,
    rotary_dim: usize,
}

/// Tabulates the rotations of Su et al. (2021), <https://arxiv.org/abs/2104.09864>, eq. 15.
///
/// Frequency `i` of `rotary_dim / 2` is `theta^(-2i / rotary_dim)`, times `factors[i]` where a
/// model rescales its frequencies (one over the factors of `long_factor` and the like). Angles are
/// rounded to `f32` before their cosine is taken, as in the models' reference implementation.
///
/// # Errors
///
/// If `rotary_dim` is odd, or there is not one factor per frequency.
pub fn rope_table(
    max_positions: usize,
    rotary_dim: usize,
    theta: f64,
    factors: Option<&[f64]>,
) -> Result<RopeTable> {
    let half = rotary_dim / 2;
    if !rotary_dim.is_multiple_of(2) {
        bail!("rope: a rotary dimension of {rotary_dim} is odd");
    }
    if let Some(factors) = factors.filter(|factors| factors.len() != half) {
        bail!("rope: {} factors for {half} frequencies", factors.len());
    }
    let frequencies: Vec<f32> = (0..half)
        .map(|i| {
            let factor = factors.map_or(1.0, |factors| factors[i]);
            (factor * theta.powf(-2.0 * i as f64 / rotary_dim as f64)) as f32
        })
        .collect();
    let angles = (0..max_positions)
        .flat_map(|position| frequencies.iter().map(move |f| f64::from(position as f32 * f)));
    let (cos, sin) = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
    Ok(RopeTable { cos, sin, rotary_dim })
}

impl RopeTable {
    /// Values at the start of each head that are rotated.
    pub fn rotary_dim(&self) -> usize {
        self.rotary_dim
    }

    /// The angles of `position`, if there are any.
    fn row(&self, position: u32) -> Option<(&[f32], &[f32])> {
        let half = self.rotary_dim / 2;
        let start = (position as usize).checked_mul(half)?;
        Some((self.cos.get(start..start + half)?, self.sin.get(start..start + half)?))
    }
}

/// The columns of `x` that hold heads to rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadColumns {
    /// Values from one row to the next.
    pub stride: usize,
    /// First column of the first head.
    pub offset: usize,
    /// Consecutive heads. Of a fused query-key-value row, the query and key heads together.
    pub heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

/// Rotates heads in place, row `i` to `positions[i]`.
///
/// Pairs value `j` with `j + rotary_dim / 2`, the `rotate_half` convention of Hugging Face's
/// models; what follows `rotary_dim` in a head stays as it is.
///
/// # Errors
///
/// If `x` does not have a row per position, the heads do not fit a row, the table's rotary
/// dimension exceeds a head, or a position is beyond the table.
pub fn apply_rope(
    x: &mut [f32],
    columns: HeadColumns,
    positions: &[u32],
    table: &RopeTable,
) -> Result<()> {
    let HeadColumns { stride, offset, heads, head_dim } = columns;
    if table.rotary_dim > head_dim {
        bail!("rope: a rotary dimension of {} in heads of {head_dim}", table.rotary_dim);
    }
    if offset + heads * head_dim > stride {
        bail!("rope: {heads} heads of {head_dim} from column {offset} of {stride}");
    }
    if x.len() != positions.len() * stride {
        bail!("rope: {} values are not ({}, {stride})", x.len(), positions.len());
    }
    if let Some(position) = positions.iter().find(|position| table.row(**position).is_none()) {
        bail!("rope: position {position} is beyond the table");
    }
    let half = table.rotary_dim / 2;
    let cost = positions.len() * heads * head_dim;
    let x = Shared::new(x);
    parallel::for_each(positions.len(), cost, |row| {
        let Some((cos, sin)) = table.row(positions[row]) else { return };
        // SAFETY: rows do not overlap, and each is one task's.
        let row = unsafe { x.part(row * stride + offset, heads * head_dim) };
        for head in row.chunks_exact_mut(head_dim.max(1)) {
            let (low, high) = head[..table.rotary_dim].split_at_mut(half);
            for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                (*low, *high) = (*low * cos - *high * sin, *high * cos + *low * sin);
            }
        }
    });
    Ok(())
}
