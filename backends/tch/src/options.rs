//! How the backend uses the machine.

use detoxlm_core::Device;

/// In which numbers matrices are multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    F32,
    /// `bf16`, with sums in `f32`. In training the weights that are kept, and the residual stream, norms,
    /// softmax and loss, stay in `f32`; in decoding and rating everything but logits is `bf16`.
    Bf16,
}

/// How the backend uses the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TchOptions {
    /// Where models compute.
    pub device: Device,
    /// In which numbers.
    pub precision: Precision,
    /// Threads that compute on the processor, for the whole process; libtorch's choice when not given.
    pub threads: Option<usize>,
}

impl TchOptions {
    /// Computes there.
    #[must_use]
    pub const fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Computes in these numbers.
    #[must_use]
    pub const fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Computes on so many threads.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }
}
