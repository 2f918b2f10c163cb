//! The one multiplication kernel: rows times a panel of columns.
//!
//! Linear layers, attention scores and attention outputs are all `x (rows, depth) * w (depth,
//! columns)`. Every output is one accumulator that starts at its initial value and takes
//! `x[k] * w[k]` for `k = 0, 1, 2, ...` in that order. How rows and columns are grouped into
//! register tiles, and where the accumulators rest between two spans of `k`, does not enter the
//! arithmetic; therefore an output has the same bits in whatever call it is computed.

use half::f16;

use super::parallel::Block;
use super::simd::{Isa, Kernel, LANES, Simd};

/// Rows of the largest tile of any instruction set.
const MAX_ROWS: usize = 6;

/// Vectors across the widest tile.
const MAX_VECTORS: usize = 4;

/// Columns of the widest tile, and of a panel of packed weights.
pub(crate) const PANEL: usize = MAX_VECTORS * LANES;

/// Values of `k` between two spills of the accumulators: one span of a panel stays in the second
/// level cache while all rows pass over it.
const SPAN: usize = 512;

/// A stored weight.
pub(crate) trait Weight: Copy + Send + Sync {
    /// Sixteen consecutive weights.
    fn load<S: Simd>(simd: S, from: &[Self; LANES]) -> S::Vector;
}

impl Weight for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[Self; LANES]) -> S::Vector {
        simd.load(from)
    }
}

impl Weight for f16 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[Self; LANES]) -> S::Vector {
        simd.load_half(from)
    }
}

/// What the accumulators hold before the first product.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    /// Zero.
    Zero,
    /// One value per column, the same for every row.
    Bias(&'a [f32]),
    /// What `out` holds: the sum goes on.
    Resume,
}

/// `out = start + x * w`, `out` of (rows, columns).
pub(crate) struct Product<'a, W> {
    /// Row `i` is `depth` values from `i * x_stride`.
    pub(crate) x: &'a [f32],
    pub(crate) x_stride: usize,
    pub(crate) depth: usize,
    /// Row `k` is the columns from `k * w_stride`, rounded up to whole vectors.
    pub(crate) w: &'a [W],
    pub(crate) w_stride: usize,
    pub(crate) start: Start<'a>,
    pub(crate) out: Block<'a>,
}

impl<W: Weight> Product<'_, W> {
    /// Computes the product with the instruction set `isa`.
    pub(crate) fn compute(self, isa: Isa) {
        if self.out.rows() == 0 || self.out.width() == 0 {
            return;
        }
        isa.run(self);
    }
}

impl<W: Weight> Kernel for Product<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (rows, columns) = (self.out.rows(), self.out.width());
        // The tiles below read without bounds checks what these assertions cover.
        assert!(self.x.len() >= (rows - 1) * self.x_stride + self.depth);
        if self.depth > 0 {
            let row = columns.next_multiple_of(LANES);
            assert!(self.w.len() >= (self.depth - 1) * self.w_stride + row);
        }
        if let Start::Bias(bias) = self.start {
            assert!(bias.len() >= columns);
        }

        let blocks = rows.div_ceil(S::TILE_ROWS);
        // The fewer rows, the more columns it takes to keep as many accumulators going.
        let vectors = S::TILE_ROWS * S::TILE_VECTORS / rows.div_ceil(blocks);
        let width = LANES * vectors.clamp(1, MAX_VECTORS);
        let span = if blocks == 1 { self.depth.max(1) } else { SPAN };
        let out = self.out.as_mut_ptr();
        let mut from = 0;
        loop {
            let depth = span.min(self.depth - from);
            for column in (0..columns).step_by(width) {
                for block in 0..blocks {
                    let row = rows * block / blocks;
                    // SAFETY: `row`, `column` and `from` are inside of the matrices, whose sizes
                    // are asserted above and in `Block`; the tile ends where they end.
                    unsafe {
                        let tile = Tile {
                            depth,
                            columns: width.min(columns - column),
                            x: self.x.as_ptr().add(row * self.x_stride + from),
                            x_stride: self.x_stride,
                            w: self.w.as_ptr().add(from * self.w_stride + column),
                            w_stride: self.w_stride,
                            start: match self.start {
                                _ if from > 0 => First::Out,
                                Start::Zero => First::Zero,
                                Start::Bias(bias) => First::Row(bias.as_ptr().add(column)),
                                Start::Resume => First::Out,
                            },
                            out: out.add(row * self.out.stride() + column),
                            out_stride: self.out.stride(),
                        };
                        tile.dispatch(simd, rows * (block + 1) / blocks - row);
                    }
                }
            }
            from += depth;
            if from >= self.depth {
                return;
            }
        }
    }
}

/// Where a tile's accumulators come from.
#[derive(Clone, Copy)]
enum First {
    Zero,
    Row(*const f32),
    Out,
}

/// The part of a product that is computed in registers.
#[derive(Clone, Copy)]
struct Tile<W> {
    depth: usize,
    columns: usize,
    x: *const f32,
    x_stride: usize,
    w: *const W,
    w_stride: usize,
    start: First,
    out: *mut f32,
    out_stride: usize,
}

impl<W: Weight> Tile<W> {
    /// # Safety
    ///
    /// As [`Self::compute`], for `rows` rows and the vectors that hold `self.columns`.
    #[inline(always)]
    unsafe fn dispatch<S: Simd>(self, simd: S, rows: usize) {
        // SAFETY: the caller's promise; each arm has just enough vectors for the columns.
        unsafe {
            match self.columns.div_ceil(LANES) {
                1 => self.dispatch_rows::<S, 1>(simd, rows),
                2 => self.dispatch_rows::<S, 2>(simd, rows),
                3 => self.dispatch_rows::<S, 3>(simd, rows),
                _ => self.dispatch_rows::<S, MAX_VECTORS>(simd, rows),
            }
        }
    }

    /// # Safety
    ///
    /// As [`Self::compute`], for `rows` rows.
    #[inline(always)]
    unsafe fn dispatch_rows<S: Simd, const VECTORS: usize>(self, simd: S, rows: usize) {
        // SAFETY: the caller's promise; each arm has just the rows.
        unsafe {
            match rows {
                1 => self.compute::<S, 1, VECTORS>(simd),
                2 => self.compute::<S, 2, VECTORS>(simd),
                3 => self.compute::<S, 3, VECTORS>(simd),
                4 => self.compute::<S, 4, VECTORS>(simd),
                5 => self.compute::<S, 5, VECTORS>(simd),
                _ => self.compute::<S, MAX_ROWS, VECTORS>(simd),
            }
        }
    }

    /// # Safety
    ///
    /// `columns` needs `VECTORS` vectors. For every `r < ROWS` and `k < depth`: `depth` values are
    /// readable from `x + r * x_stride`, `VECTORS` vectors from `w + k * w_stride`, and `columns`
    /// values are writable, by nobody else, from `out + r * out_stride`. A starting row has
    /// `columns` readable values.
    #[inline(always)]
    unsafe fn compute<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
        let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
        let (first, first_stride) = match self.start {
            First::Zero => (None, 0),
            First::Row(row) => (Some(row), 0),
            First::Out => (Some(self.out.cast_const()), self.out_stride),
        };
        if let Some(first) = first {
            for (r, row) in sums.iter_mut().enumerate() {
                for (v, sum) in row.iter_mut().enumerate() {
                    // SAFETY: `columns` values are readable from each row.
                    *sum = unsafe {
                        let from = first.add(r * first_stride + v * LANES);
                        load(simd, from, self.columns - v * LANES)
                    };
                }
            }
        }
        for k in 0..self.depth {
            let mut weights = [simd.splat(0.0); VECTORS];
            for (v, vector) in weights.iter_mut().enumerate() {
                // SAFETY: row `k` of the weights has `VECTORS` whole vectors.
                *vector =
                    W::load(simd, unsafe { &*self.w.add(k * self.w_stride + v * LANES).cast() });
            }
            for (r, row) in sums.iter_mut().enumerate() {
                // SAFETY: row `r` of the inputs has `depth` values.
                let input = simd.splat(unsafe { *self.x.add(r * self.x_stride + k) });
                for (sum, &vector) in row.iter_mut().zip(&weights) {
                    *sum = simd.multiply_add(input, vector, *sum);
                }
            }
        }
        for (r, row) in sums.iter().enumerate() {
            for (v, &sum) in row.iter().enumerate() {
                // SAFETY: `columns` values are writable from each row.
                unsafe {
                    let to = self.out.add(r * self.out_stride + v * LANES);
                    store(simd, sum, to, self.columns - v * LANES);
                }
            }
        }
    }
}

/// # Safety
///
/// The lesser of `count` and [`LANES`] values are readable.
#[inline(always)]
unsafe fn load<S: Simd>(simd: S, from: *const f32, count: usize) -> S::Vector {
    if count >= LANES {
        // SAFETY: that many are readable.
        return simd.load(unsafe { &*from.cast() });
    }
    let mut lanes = [0.0; LANES];
    // SAFETY: `count` values are readable, and fit.
    unsafe { from.copy_to_nonoverlapping(lanes.as_mut_ptr(), count) };
    simd.load(&lanes)
}

/// # Safety
///
/// The lesser of `count` and [`LANES`] values are writable.
#[inline(always)]
unsafe fn store<S: Simd>(simd: S, vector: S::Vector, to: *mut f32, count: usize) {
    if count >= LANES {
        // SAFETY: that many are writable.
        simd.store(vector, unsafe { &mut *to.cast() });
        return;
    }
    let mut lanes = [0.0; LANES];
    simd.store(vector, &mut lanes);
    // SAFETY: `count` values are writable, and there.
    unsafe { to.copy_from_nonoverlapping(lanes.as_ptr(), count) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .take(n)
        .collect()
    }

    /// Every tile shape: rows around the tile heights, columns around the vector widths, depths
    /// around the span.
    #[test]
    fn every_instruction_set_agrees_with_f64() {
        for isa in Isa::all() {
            for rows in [1, 2, 3, 5, 6, 7, 13] {
                for columns in [1_usize, 15, 16, 17, 40, 48, 63, 64] {
                    for depth in [0, 1, 7, 600] {
                        let padded = columns.next_multiple_of(LANES);
                        let x = values(rows * depth, 1);
                        let w = values(depth * padded, 2);
                        let bias = values(columns, 3);
                        let mut out = vec![f32::NAN; rows * columns];
                        Product {
                            x: &x,
                            x_stride: depth,
                            depth,
                            w: &w,
                            w_stride: padded,
                            start: Start::Bias(&bias),
                            out: Block::new(&mut out, rows, columns, columns),
                        }
                        .compute(isa);
                        for r in 0..rows {
                            for c in 0..columns {
                                let expected = (0..depth).fold(f64::from(bias[c]), |sum, k| {
                                    sum + f64::from(x[r * depth + k]) * f64::from(w[k * padded + c])
                                });
                                let error = (f64::from(out[r * columns + c]) - expected).abs();
                                assert!(error < 2e-5, "{isa:?} {rows}x{columns}x{depth}: {error}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn fused_instruction_sets_agree_to_the_bit() {
        let (rows, columns, depth) = (7, 64, 700);
        let (x, w) = (values(rows * depth, 4), values(depth * columns, 5));
        let mut results = Isa::all().into_iter().map(|isa| {
            let mut out = vec![0.0; rows * columns];
            let out_block = Block::new(&mut out, rows, columns, columns);
            Product {
                x: &x,
                x_stride: depth,
                depth,
                w: &w,
                w_stride: columns,
                start: Start::Zero,
                out: out_block,
            }
            .compute(isa);
            (matches!(isa, Isa::Portable(_)), out)
        });
        let (_, widest) = results.next().expect("there is always the portable one");
        for (portable, out) in results {
            assert!(portable || out == widest);
        }
    }
}
