use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::remote::TokenBucket;
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
    bucket: Arc<TokenBucket>,
}

impl RateLimited {
    /// At most `texts_per_second`.
    ///
    /// # Errors
    /// When that is not a number above 0.
    pub fn new(inner: Arc<dyn ToxicityScorer>, texts_per_second: f64) -> Result<Self> {
        let bucket = Arc::new(TokenBucket::new(texts_per_second)?);
        let batch = inner.capabilities().batch.min(bucket.burst());
        let capabilities = inner.capabilities().clone().with_batch(batch);
        Ok(Self { inner, capabilities, bucket })
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
        for part in samples.chunks(self.bucket.burst()) {
            self.bucket.admit(part.len()).await;
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
