use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use crate::random::{CounterRng, Domain};
use crate::{Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Verdict};

/// How long to wait before asking again.
///
/// The pause before try `n + 1` is drawn evenly between 0 and `first * 2^(n-1)`, at most `longest`
/// ("full jitter"), so that callers that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Tries in all, at least 1.
    pub tries: u32,
    /// The longest pause after the first try.
    pub first: Duration,
    /// The longest pause after any.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { tries: 5, first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The longest pause after so many tries.
    #[must_use]
    pub fn ceiling(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

/// Draws pauses, the same number never twice.
#[derive(Debug, Default)]
pub(crate) struct Pauses(AtomicU64);

impl Pauses {
    /// A pause after so many tries.
    pub(crate) fn after(&self, tries: u32, backoff: &Backoff) -> Duration {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let rng = CounterRng::new(u64::from(std::process::id()), Domain::Jitter);
        backoff.ceiling(tries).mul_f64(rng.uniform(number, 0, 0))
    }
}

/// Asks a scorer again when a call fails for a reason that may pass
/// ([`Error::is_retryable`](crate::Error::is_retryable)); other errors are told at once.
#[derive(Clone, Debug)]
pub struct Retried {
    inner: Arc<dyn ToxicityScorer>,
    backoff: Backoff,
    pauses: Arc<Pauses>,
}

impl Retried {
    /// Asks again after these pauses.
    #[must_use]
    pub fn new(inner: Arc<dyn ToxicityScorer>, backoff: Backoff) -> Self {
        Self { inner, backoff, pauses: Arc::default() }
    }
}

#[async_trait]
impl ToxicityScorer for Retried {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let mut tries = 1;
        loop {
            match self.inner.score(samples).await {
                Err(error) if error.is_retryable() && tries < self.backoff.tries => {
                    sleep(self.pauses.after(tries, &self.backoff)).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}
