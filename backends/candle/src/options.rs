//! How the backend uses the machine.

use std::sync::Arc;

use detoxlm_core::{ErrorKind, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::error;

/// Virtual memory of a thread's stack: candle walks and drops the graph of a training step
/// recursively, and untouched pages cost nothing.
const STACK: usize = 64 << 20;

/// How the backend uses the machine. Results have the same bits whatever is chosen here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CandleOptions {
    /// Threads that compute; every core when not given.
    pub threads: Option<usize>,
}

impl CandleOptions {
    /// Computes on so many threads.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
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
