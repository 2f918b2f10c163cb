use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::{Error, ErrorKind, Result};

/// Lets so many requests a second pass at most.
///
/// The bucket holds one second's worth of tokens, and at least one: after a pause, so many requests
/// may go at once. Whoever asks is served in the order of asking.
#[derive(Debug)]
pub struct TokenBucket {
    /// Tokens a second.
    rate: f64,
    /// Tokens that it holds when full.
    burst: usize,
    /// When it would be empty if all that was promised had gone.
    empty_at: Mutex<Option<Instant>>,
}

impl TokenBucket {
    /// A full bucket that fills at `per_second`.
    ///
    /// # Errors
    /// When that is not a number above 0.
    pub fn new(per_second: f64) -> Result<Self> {
        if !(per_second > 0.0 && per_second.is_finite()) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "scoring",
                "limit the rate",
                format!("{per_second} is not a number above 0"),
            )
            .with_key("texts_per_second"));
        }
        let burst = (per_second.min(1e9) as usize).max(1);
        Ok(Self { rate: per_second, burst, empty_at: Mutex::default() })
    }

    /// How many requests may go at once, at most.
    #[must_use]
    pub const fn burst(&self) -> usize {
        self.burst
    }

    /// Waits until so many requests, at most [`burst`](Self::burst), may go.
    pub async fn admit(&self, requests: usize) {
        let cost = Duration::from_secs_f64(requests as f64 / self.rate);
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

    /// Lets nothing more pass for so long: the service asked for a rest. What was admitted goes.
    pub async fn rest(&self, pause: Duration) {
        let mut empty_at = self.empty_at.lock().await;
        let Some(until) = Instant::now().checked_add(pause) else { return };
        *empty_at = Some(empty_at.map_or(until, |at| at.max(until)));
    }
}
