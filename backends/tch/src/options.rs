//! How the backend uses the machine.

use detoxlm_core::Compute;

/// How the backend uses the machine.
///
/// In `bf16`, training keeps the weights, the moments, the residual stream, norms, softmax and loss in `f32`;
/// in decoding and rating everything but logits is `bf16`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TchOptions {
    /// Where models compute, and in which numbers.
    pub compute: Compute,
    /// Threads that compute on the processor, for the whole process; libtorch's choice when not given.
    pub threads: Option<usize>,
}

impl TchOptions {
    /// Computes so.
    #[must_use]
    pub const fn with_compute(mut self, compute: Compute) -> Self {
        self.compute = compute;
        self
    }

    /// Computes on so many threads.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }
}
