//! Numbers that name tokens, positions and cells.

/// A number as tensors of ids hold it. What has a larger one fits no memory.
pub(super) fn id(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
