//! Whether the keys and values of a decode session fit the memory.

use detoxlm_core::memory::available;
use detoxlm_core::{Error, ErrorKind, Result};

use crate::architecture::Architecture;

/// What a decode session keeps.
#[derive(Clone, Copy, Debug)]
pub struct CacheMemory<'a> {
    /// The framework's name.
    pub component: &'static str,
    /// Whose keys and values.
    pub architecture: &'a Architecture,
    /// Tokens of a prefix, which stand in every row.
    pub prefix: usize,
    /// Bytes of a number.
    pub number: usize,
}

impl CacheMemory<'_> {
    /// Bytes of so many rows of so many tokens.
    ///
    /// # Errors
    /// When no number says it ([`ErrorKind::OutOfMemory`]).
    pub fn bytes(&self, rows: usize, capacity: usize) -> Result<usize> {
        let parts =
            [2 * self.architecture.blocks.len(), self.architecture.key_width(), self.number, rows];
        let positions = self.prefix.checked_add(capacity);
        positions
            .and_then(|positions| parts.into_iter().try_fold(positions, usize::checked_mul))
            .ok_or_else(|| self.refused(rows, capacity))
    }

    /// That they fit what is left of the processor's memory, where an allocator that is refused would end the
    /// process.
    ///
    /// # Errors
    /// When they do not ([`ErrorKind::OutOfMemory`]).
    pub fn check_processor(&self, rows: usize, capacity: usize) -> Result<()> {
        let bytes = self.bytes(rows, capacity)?;
        let is_left = available().is_none_or(|available| bytes as u64 <= available);
        // Address space is asked for, and given back at once.
        if is_left && Vec::<u8>::new().try_reserve_exact(bytes).is_ok() {
            return Ok(());
        }
        Err(self.refused(rows, capacity))
    }

    /// That they do not fit.
    #[must_use]
    pub fn refused(&self, rows: usize, capacity: usize) -> Error {
        Error::new(
            ErrorKind::OutOfMemory,
            self.component,
            "open a decode session",
            format!(
                "the keys and values of {rows} rows of {capacity} tokens do not fit the memory"
            ),
        )
        .with_remedy("open it with fewer rows or a smaller capacity")
    }
}
