//! Where a framework computes.

use std::fmt;

use detoxlm_core::{Compute, Device, Error, Precision};

use super::tensor::{Computed, Tensor};

/// A device that is there, and the numbers in which matrices are multiplied on it.
///
/// # Contract
/// Tensors of one place, and of the places that [`with_precision`](Self::with_precision) makes of it, can be
/// given to one operation.
pub trait Place: Clone + fmt::Debug + Send + Sync + 'static {
    /// What lies there.
    type Tensor: Tensor;

    /// The framework's name, as errors and models carry it.
    const COMPONENT: &'static str;

    /// The device and the numbers: what was asked for, with the device that it came to.
    fn compute(&self) -> Compute;

    /// The same device with other numbers.
    #[must_use]
    fn with_precision(&self, precision: Precision) -> Self;

    /// Row-major values.
    fn numbers(
        &self,
        values: &[f32],
        shape: &[usize],
        precision: Precision,
    ) -> Computed<Self::Tensor, Self>;

    /// Zeros that can be written to.
    fn zeros(&self, shape: &[usize], precision: Precision) -> Computed<Self::Tensor, Self>;

    /// What names tokens, positions or rows.
    fn ids(&self, ids: &[u32], shape: &[usize]) -> Computed<Self::Tensor, Self>;

    /// A mask: true for what is read.
    fn mask(&self, read: &[bool], shape: &[usize]) -> Computed<Self::Tensor, Self>;

    /// Does work on a thread that suits the framework.
    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        work()
    }

    /// What the framework says of a computation, as an error of ours.
    fn failed(operation: &'static str) -> impl Fn(<Self::Tensor as Tensor>::Error) -> Error;

    /// The numbers in which matrices are multiplied.
    fn precision(&self) -> Precision {
        self.compute().precision
    }

    /// Whether the device is no processor: it wants larger pieces of work.
    fn is_gpu(&self) -> bool {
        self.compute().device != Device::Cpu
    }
}
