//! Sharing work among the threads of the current rayon pool.

use std::marker::PhantomData;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

/// Multiply-adds (or as costly elements) below which waking another thread takes longer than the
/// work: some twenty microseconds.
const FORK: usize = 1 << 20;

/// The least work that one thread takes from another.
const GRAIN: usize = 1 << 17;

/// Calls `run` once for every task in `0..tasks`, on one thread or many, in any order.
///
/// `cost` is the work of all tasks together in multiply-adds. The threads only decide who runs a
/// task, never what it computes.
pub(crate) fn for_each(tasks: usize, cost: usize, run: impl Fn(usize) + Send + Sync) {
    if tasks <= 1 || cost < FORK || rayon::current_num_threads() == 1 {
        (0..tasks).for_each(run);
    } else {
        let at_least = (tasks * GRAIN).div_ceil(cost);
        (0..tasks).into_par_iter().with_min_len(at_least).for_each(run);
    }
}

/// A slice that several tasks write to, each its own part.
///
/// The parts of a matrix that tasks own are blocks of columns, which safe slices cannot express.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pointer: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: stands for a `&mut [f32]`, whose parts are handed out only by the `unsafe` functions
// below; their callers promise that no two threads hold the same element.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { pointer: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The `len` values from `start`.
    ///
    /// # Safety
    ///
    /// Nothing else reads or writes these values while the slice lives.
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start <= self.len && len <= self.len - start, "part outside of the slice");
        // SAFETY: inside of the slice by the assertion, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), len) }
    }

    /// The matrix whose row `i` has `width` values from `start + i * stride`.
    ///
    /// # Safety
    ///
    /// Nothing else reads or writes the values of these rows while the matrix lives.
    pub(crate) unsafe fn block(
        &self,
        start: usize,
        rows: usize,
        width: usize,
        stride: usize,
    ) -> Block<'a> {
        let end = if rows == 0 { start } else { start + (rows - 1) * stride + width };
        assert!(end <= self.len && width <= stride, "block outside of the slice");
        // SAFETY: `start <= end`, which is inside of the slice.
        let pointer = unsafe { self.pointer.add(start) };
        Block { pointer, rows, width, stride, borrow: PhantomData }
    }
}

/// A writable matrix inside of a larger one.
///
/// Always in bounds: row `i < rows` is `width` writable values from `pointer + i * stride`.
pub(crate) struct Block<'a> {
    pointer: *mut f32,
    rows: usize,
    width: usize,
    stride: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

impl<'a> Block<'a> {
    /// The first `width` of every `stride` values, `rows` times.
    pub(crate) fn new(slice: &'a mut [f32], rows: usize, width: usize, stride: usize) -> Self {
        // SAFETY: the slice is borrowed exclusively for as long as the block lives.
        unsafe { Shared::new(slice).block(0, rows, width, stride) }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.pointer
    }
}
