//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;
use detoxlm_core::{Attribute, Info, Result, ToxicityScorer};
use serde::Serialize;

use super::ServerConfig;
use super::answer::Answer;
use super::gather::Gather;

#[derive(Debug)]
pub(super) struct App {
    pub(super) config: ServerConfig,
    pub(super) gather: Gather,
    pub(super) scorer: Info,
    pub(super) attributes: Vec<Attribute>,
    /// The scorer in a header, which all answers carry.
    pub(super) signature: HeaderValue,
    scored: AtomicU64,
    refused: AtomicU64,
    overflowed: AtomicU64,
    failed: AtomicU64,
}

/// How many requests for scores were answered, and how; each part of a batch counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// With scores.
    pub scored: u64,
    /// With what is wrong with the request or its text.
    pub refused: u64,
    /// With 429, because too many texts were waiting.
    pub overflowed: u64,
    /// With a failure of the scorer or of the server.
    pub failed: u64,
}

impl Totals {
    /// All of them.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.scored + self.refused + self.overflowed + self.failed
    }
}

impl App {
    pub(super) fn new(scorer: Arc<dyn ToxicityScorer>, config: ServerConfig) -> Result<Self> {
        config.check()?;
        let info = scorer.info().clone();
        let attributes = scorer.capabilities().attributes.clone();
        let signature = format!("{}; version={}; digest={}", info.name, info.version, info.digest);
        let signature = HeaderValue::from_str(&signature.escape_default().to_string())
            .unwrap_or(HeaderValue::from_static("unnamed"));
        Ok(Self {
            gather: Gather::new(scorer, config.queue, config.linger)?,
            config,
            scorer: info,
            attributes,
            signature,
            scored: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// Whether a request with this key, if any, may be answered.
    pub(super) fn admits(&self, key: Option<&str>) -> bool {
        self.config.key.as_ref().is_none_or(|required| key.is_some_and(|key| required.admits(key)))
    }

    /// Counts an answer to a request for scores.
    pub(super) fn count(&self, answer: &Answer) {
        let counter = match answer.status().as_u16() {
            200 => &self.scored,
            429 => &self.overflowed,
            500.. => &self.failed,
            _ => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            scored: self.scored.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            overflowed: self.overflowed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
