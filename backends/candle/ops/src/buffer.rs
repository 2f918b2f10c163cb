//! Output buffers, filled in parallel without a zeroing pass of their own.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Elements a thread takes at a time in element-wise kernels: fits the second-level cache with its
/// operands, and makes a task long against rayon's cost of one.
pub(crate) const CHUNK: usize = 1 << 14;

/// Rows a thread takes at a time in row-wise kernels; also the fixed piece of a reduction over rows.
pub(crate) const ROWS: usize = 64;

/// Allocates `len` floats and has `fill` write them piece by piece, `chunk` elements each (the last
/// may be shorter), in parallel. `fill` gets the piece's index and the zeroed piece.
pub(crate) fn build(len: usize, chunk: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    build_with(len, chunk, |index, piece| fill(index, piece)).0
}

/// [`build`], also collecting what `fill` returns, in the order of the pieces.
pub(crate) fn build_with<T: Send>(
    len: usize,
    chunk: usize,
    fill: impl Fn(usize, &mut [f32]) -> T + Sync,
) -> (Vec<f32>, Vec<T>) {
    let mut values = Vec::with_capacity(len);
    let results = values.spare_capacity_mut()[..len]
        .par_chunks_mut(chunk.max(1))
        .enumerate()
        .map(|(index, piece)| fill(index, zeroed(piece)))
        .collect();
    // SAFETY: the pieces cover the first `len` elements, and each has been zeroed.
    unsafe { values.set_len(len) };
    (values, results)
}

/// Two buffers of one length, built piece by piece together.
pub(crate) fn build_pair(
    len: usize,
    chunk: usize,
    fill: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> (Vec<f32>, Vec<f32>) {
    let chunk = chunk.max(1);
    let (mut first, mut second) = (Vec::with_capacity(len), Vec::with_capacity(len));
    first.spare_capacity_mut()[..len]
        .par_chunks_mut(chunk)
        .zip(second.spare_capacity_mut()[..len].par_chunks_mut(chunk))
        .enumerate()
        .for_each(|(index, (a, b))| fill(index, zeroed(a), zeroed(b)));
    // SAFETY: in each, the pieces cover the first `len` elements, and each has been zeroed.
    unsafe {
        first.set_len(len);
        second.set_len(len);
    }
    (first, second)
}

/// Zeroes a piece in the thread that is about to write it, so that the zeros never leave its cache.
fn zeroed(piece: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    piece.fill(MaybeUninit::new(0.0));
    let (pointer, len) = (piece.as_mut_ptr().cast::<f32>(), piece.len());
    // SAFETY: the same memory under the same borrow, and every element was just initialised.
    unsafe { std::slice::from_raw_parts_mut(pointer, len) }
}

/// Adds up equally long partial results, in order.
pub(crate) fn sum_in_order(partials: &[Vec<f32>], len: usize) -> Vec<f32> {
    let mut total = vec![0f32; len];
    for partial in partials {
        for (total, &partial) in total.iter_mut().zip(partial) {
            *total += partial;
        }
    }
    total
}

/// The sum over the rows of a row-major matrix: what a bias that was broadcast over them receives.
pub(crate) fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
    if columns == 0 {
        return Vec::new();
    }
    let partials: Vec<_> = matrix
        .par_chunks(columns * ROWS)
        .map(|rows| {
            let mut sums = vec![0f32; columns];
            for row in rows.chunks_exact(columns) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            sums
        })
        .collect();
    sum_in_order(&partials, columns)
}

/// A buffer that several threads write at once, each to places of its own.
pub(crate) struct SharedBuffer {
    values: Vec<f32>,
    pointer: *mut f32,
    len: usize,
}

// SAFETY: the pointer is only written through, and `write`'s contract forbids overlapping writes.
unsafe impl Sync for SharedBuffer {}

impl SharedBuffer {
    /// Room for `len` floats, not initialised.
    pub(crate) fn new(len: usize) -> Self {
        let mut values = Vec::with_capacity(len);
        let pointer = values.as_mut_ptr();
        Self { values, pointer, len }
    }

    /// Copies `source` to `start..start + source.len()`.
    ///
    /// # Safety
    /// No two threads may write the same element.
    pub(crate) unsafe fn write(&self, start: usize, source: &[f32]) {
        assert!(start + source.len() <= self.len, "write past the end of an output");
        // SAFETY: within the allocation by the line above; exclusive by the caller's promise.
        unsafe {
            std::ptr::copy_nonoverlapping(source.as_ptr(), self.pointer.add(start), source.len());
        }
    }

    /// The finished buffer.
    ///
    /// # Safety
    /// Every element must have been written.
    pub(crate) unsafe fn finish(mut self) -> Vec<f32> {
        // SAFETY: `new` reserved this many, and all are initialised by the caller's promise.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_buffer_once() {
        let (values, indices) = build_with(10, 4, |index, piece| {
            piece.iter_mut().for_each(|value| *value += 1.0 + index as f32);
            index
        });
        assert_eq!(values, [1., 1., 1., 1., 2., 2., 2., 2., 3., 3.]);
        assert_eq!(indices, [0, 1, 2]);
        assert!(build(0, 4, |_, _| ()).is_empty());
    }

    #[test]
    fn column_sums_take_every_row() {
        let rows = 2 * ROWS + 3;
        let matrix: Vec<f32> = (0..rows).flat_map(|row| [row as f32, 1.0]).collect();
        assert_eq!(column_sums(&matrix, 2), [(rows * (rows - 1) / 2) as f32, rows as f32]);
    }
}
