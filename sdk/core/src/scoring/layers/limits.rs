use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{Error, ErrorKind, Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Verdict};

/// Asks a scorer in so many calls at once at most; others wait for their turn.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimited {
    inner: Arc<dyn ToxicityScorer>,
    capabilities: ScorerCapabilities,
    calls: Arc<Semaphore>,
}

impl ConcurrencyLimited {
    /// At most `calls` at once; 0 counts as 1.
    #[must_use]
    pub fn new(inner: Arc<dyn ToxicityScorer>, calls: usize) -> Self {
        let calls = calls.clamp(1, Semaphore::MAX_PERMITS);
        let wanted = inner.capabilities().concurrency.min(calls);
        let capabilities = inner.capabilities().clone().with_concurrency(wanted);
        Self { inner, capabilities, calls: Arc::new(Semaphore::new(calls)) }
    }
}

#[async_trait]
impl ToxicityScorer for ConcurrencyLimited {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        // The semaphore is never closed.
        let _permit = self.calls.acquire().await.map_err(|e| {
            Error::new(ErrorKind::Internal, "scoring", "wait for a turn", e.to_string())
        })?;
        self.inner.score(samples).await
    }
}

/// Asks a scorer for so many texts a second at most.
///
/// A bucket of tokens that holds one second's worth, and at least one: after a pause, so many texts
/// may go at once. A call of more texts than the bucket holds goes in parts.
#[derive(Clone, Debug)]
pub struct RateLimited {
    inner: Arc<dyn ToxicityScorer>,
    capabilities: ScorerCapabilities,
    /// Texts a second.
    rate: f64,
    /// Texts that may go at once.
    burst: usize,
    /// When the bucket would be empty if all that was promised had gone.
    empty_at: Arc<Mutex<Option<Instant>>>,
}

impl RateLimited {
    /// At most `texts_per_second`.
    ///
    /// # Errors
    /// When that is not a number above 0.
    pub fn new(inner: Arc<dyn ToxicityScorer>, texts_per_second: f64) -> Result<Self> {
        if !(texts_per_second > 0.0 && texts_per_second.is_finite()) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "scoring",
                "limit the rate",
                format!("{texts_per_second} is not a number above 0"),
            )
            .with_key("texts_per_second"));
        }
        let burst = (texts_per_second.min(1e9) as usize).max(1);
        let batch = inner.capabilities().batch.min(burst);
        let capabilities = inner.capabilities().clone().with_batch(batch);
        let empty_at = Arc::default();
        Ok(Self { inner, capabilities, rate: texts_per_second, burst, empty_at })
    }

    /// Waits until so many texts, at most the bucket's, may go.
    async fn admit(&self, texts: usize) {
        let cost = Duration::from_secs_f64(texts as f64 / self.rate);
        let full = Duration::from_secs_f64(self.burst as f64 / self.rate);
        let mut empty_at = self.empty_at.lock().await;
        let now = Instant::now();
        // A bucket that is not used fills up, and no further.
        let fullest = now.checked_sub(full).unwrap_or(now);
        let from = empty_at.map_or(fullest, |at| at.max(fullest));
        *empty_at = Some(from + cost);
        drop(empty_at);
        sleep_until(from + cost).await;
    }
}

#[async_trait]
impl ToxicityScorer for RateLimited {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::with_capacity(samples.len());
        for part in samples.chunks(self.burst) {
            self.admit(part.len()).await;
            verdicts.extend(self.inner.score(part).await?);
        }
        Ok(verdicts)
    }
}

/// Gives up a call that takes longer than a limit: it fails as
/// [`ErrorKind::Unavailable`](crate::ErrorKind), which may be asked again.
#[derive(Clone, Debug)]
pub struct TimeLimited {
    inner: Arc<dyn ToxicityScorer>,
    limit: Duration,
}

impl TimeLimited {
    /// So much time a call.
    #[must_use]
    pub fn new(inner: Arc<dyn ToxicityScorer>, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

#[async_trait]
impl ToxicityScorer for TimeLimited {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        timeout(self.limit, self.inner.score(samples)).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "scoring",
                "score",
                format!("no answer within {:?}", self.limit),
            )
            .with_key(self.info().name.clone())
            .with_remedy("ask for fewer texts at once, or allow more time"))
        })
    }
}
