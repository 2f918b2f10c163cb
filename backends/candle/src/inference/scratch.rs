//! Activations of a forward pass, reused from pass to pass.

use super::adapted::AdditionScratch;

/// Buffers that grow to the largest pass and stay.
#[derive(Default)]
pub(super) struct Scratch {
    /// The residual stream: (tokens, width).
    pub(super) hidden: Vec<f32>,
    pub(super) normed: Vec<f32>,
    /// Query, key and value: (tokens, their widths together).
    pub(super) projections: Vec<f32>,
    pub(super) attended: Vec<f32>,
    /// What a sublayer adds to the stream: (tokens, width).
    pub(super) update: Vec<f32>,
    /// (tokens, inner width), or twice that with a gate.
    pub(super) inner: Vec<f32>,
    pub(super) gated: Vec<f32>,
    pub(super) tokens: Vec<u32>,
    pub(super) positions: Vec<u32>,
    pub(super) additions: AdditionScratch,
}

/// The first `len` values of a buffer that holds at least so many.
pub(super) fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
