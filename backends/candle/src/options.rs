//! How the backend uses the machine.

use std::sync::Arc;

use detoxlm_core::{Compute, Device, ErrorKind, Precision, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::eager::CandlePlace;
use crate::error::error;

/// Virtual memory of a thread's stack: candle walks and drops the graph of a training step
/// recursively, and untouched pages cost nothing.
const STACK: usize = 64 << 20;

/// How the backend uses the machine. On the processor, results have the same bits on any number of threads.
///
/// A GPU wants the feature `cuda` or `metal`. In `bf16`, which it can compute in, training keeps the weights,
/// the moments, the residual stream, norms, softmax and loss in `f32`; in decoding and rating everything but
/// norms, softmax and logits is `bf16`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CandleOptions {
    /// Where models compute, and in which numbers.
    pub compute: Compute,
    /// Threads that compute on the processor; every core when not given.
    pub threads: Option<usize>,
}

/// Where models compute, once it is known to be there.
#[derive(Debug)]
pub(crate) enum Where {
    /// On this machine's processor, in `f32`, through kernels of our own.
    Processor,
    /// Elsewhere, through candle's.
    Gpu(CandlePlace),
}

impl CandleOptions {
    /// The processor, and so many threads of it as are given.
    #[must_use]
    pub(crate) fn on_processor(self) -> Self {
        self.with_compute(Compute::default().with_device(Device::Cpu))
    }

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

    /// Where it is that models compute.
    ///
    /// # Errors
    /// When that is not there, or does not compute in these numbers.
    pub(crate) fn find(self) -> Result<Where> {
        if let Some(place) = CandlePlace::find(self)? {
            return Ok(Where::Gpu(place));
        }
        if self.compute.precision != Precision::F32 {
            let message = format!("it does not compute in {} on cpu", self.compute.precision);
            return Err(error(ErrorKind::Unsupported, "choose how to compute", message)
                .with_key("precision")
                .with_remedy("choose f32, or the backend tch for bf16"));
        }
        Ok(Where::Processor)
    }

    /// The threads, which end when the last user of the pool lets go of it.
    pub(crate) fn pool(self) -> Result<Arc<ThreadPool>> {
        if self.threads == Some(0) {
            return Err(error(ErrorKind::InvalidConfig, "start threads", "must be at least 1")
                .with_key("threads"));
        }
        ThreadPoolBuilder::new()
            .num_threads(self.threads.unwrap_or(0))
            .stack_size(STACK)
            .thread_name(|index| format!("candle-{index}"))
            .build()
            .map(Arc::new)
            .map_err(|e| error(ErrorKind::Io, "start threads", e.to_string()).with_source(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_threads_are_refused_by_name() {
        let error = CandleOptions::default().with_threads(0).pool().unwrap_err();
        assert_eq!(
            error.to_string(),
            "candle: cannot start threads: `threads`: must be at least 1"
        );
        let pool = CandleOptions::default().with_threads(3).pool().unwrap();
        assert_eq!(pool.current_num_threads(), 3);
    }
}
