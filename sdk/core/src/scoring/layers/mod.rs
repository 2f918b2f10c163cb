//! What can be put around a scorer: each layer is a scorer that asks another one.
//!
//! | layer | does | changes verdicts |
//! | --- | --- | --- |
//! | [`Cached`] | remembers verdicts on disk | no |
//! | [`ConcurrencyLimited`] | asks in so many calls at once at most | no |
//! | [`RateLimited`] | asks for so many texts a second at most | no |
//! | [`Retried`] | asks again what failed for a while | no |
//! | [`TimeLimited`] | gives up a call that takes too long | no |
//! | [`Windowed`] | scores long texts piece by piece | yes |
//! | [`Calibrated`] | maps values to another scale | yes |
//! | [`Ensemble`] | puts several scorers together | yes |
//! | [`Vetoed`] | takes the score from texts that a filter drops | yes |
//!
//! A layer that changes verdicts has a digest of its own. Put `TimeLimited` inside `Retried`, so that
//! what took too long is asked again, and `Cached` outside both, so that what is known costs nothing.

mod cached;
mod calibrated;
mod ensemble;
mod limits;
mod retried;
#[cfg(test)]
mod tests;
mod vetoed;
mod windowed;

use std::sync::Arc;
use std::time::Duration;

pub use cached::Cached;
pub use calibrated::{Calibrated, Calibration, CalibrationMap};
pub use ensemble::{Combination, Ensemble};
pub use limits::{ConcurrencyLimited, RateLimited, TimeLimited};
pub(crate) use retried::Pauses;
pub use retried::{Backoff, Retried};
pub use vetoed::Vetoed;
pub use windowed::{WindowRule, Windowed, Windows};

use crate::{Filter, Result, ToxicityScorer};

/// Layers by their names. Blanket-implemented: nothing to implement.
pub trait ToxicityScorerExt: ToxicityScorer + Sized {
    /// [`Cached`] in a directory.
    ///
    /// # Errors
    /// Those of [`Cached::open`].
    fn cached(self, directory: impl AsRef<std::path::Path>) -> Result<Cached> {
        Cached::open(Arc::new(self), directory)
    }

    /// [`ConcurrencyLimited`] to so many calls at once, at least 1.
    fn limit_concurrency(self, calls: usize) -> ConcurrencyLimited {
        ConcurrencyLimited::new(Arc::new(self), calls)
    }

    /// [`RateLimited`] to so many texts a second.
    ///
    /// # Errors
    /// When that is not a number above 0.
    fn limit_rate(self, texts_per_second: f64) -> Result<RateLimited> {
        RateLimited::new(Arc::new(self), texts_per_second)
    }

    /// [`Retried`] with these pauses.
    fn retry(self, backoff: Backoff) -> Retried {
        Retried::new(Arc::new(self), backoff)
    }

    /// [`TimeLimited`] to so much time a call.
    fn limit_time(self, limit: Duration) -> TimeLimited {
        TimeLimited::new(Arc::new(self), limit)
    }

    /// [`Windowed`] over long texts.
    ///
    /// # Errors
    /// When the windows are impossible.
    fn windowed(self, windows: Windows) -> Result<Windowed> {
        Windowed::new(Arc::new(self), windows)
    }

    /// [`Calibrated`] by maps that were fitted to it.
    ///
    /// # Errors
    /// When they were fitted to another scorer.
    fn calibrated(self, calibration: Calibration) -> Result<Calibrated> {
        Calibrated::new(Arc::new(self), calibration)
    }

    /// [`Vetoed`] by a filter.
    fn vetoed_by(self, filter: Arc<dyn Filter>) -> Vetoed {
        Vetoed::new(Arc::new(self), filter)
    }
}

impl<S: ToxicityScorer> ToxicityScorerExt for S {}
