//! Memory that starts on a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// A fixed number of values, the first of them at the start of a cache line: a vector load that
/// straddles two lines costs two.
///
/// An allocation of zeros at the default alignment comes untouched from the operating system,
/// whereas one of a higher alignment is written through; hence the offset into a plain `Vec`.
pub(crate) struct LineAligned<T> {
    storage: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Copy> LineAligned<T> {
    /// `len` copies of `value`. For `0.0_f32`, pages that nobody writes take no memory.
    pub(crate) fn filled(value: T, len: usize) -> Self {
        let storage = vec![value; len + LINE / size_of::<T>()];
        let first = storage.as_ptr().align_offset(LINE);
        // `align_offset` may decline to answer; the values are then merely unaligned.
        let first = if first <= LINE / size_of::<T>() { first } else { 0 };
        Self { storage, first, len }
    }
}

impl<T> Deref for LineAligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[self.first..self.first + self.len]
    }
}

impl<T> DerefMut for LineAligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[self.first..self.first + self.len]
    }
}

impl<T> fmt::Debug for LineAligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineAligned").field("len", &self.len).finish_non_exhaustive()
    }
}
