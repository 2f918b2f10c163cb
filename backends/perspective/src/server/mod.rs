//! The protocol's other end: an HTTP server that puts any scorer in front of programs that were
//! written for Perspective.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /v1alpha1/comments:analyze` | as the service answers it, scores by the scorer |
//! | `POST /v1alpha1/comments:suggestscore` | 501: nothing is collected |
//! | `POST /batch` | Google's HTTP batches of the above, at most 1,000 requests each |
//! | `GET /$discovery/rest` | what Google's client libraries ask for first |
//! | `GET /health` | the scorer, the queue and how many requests were answered how |
//!
//! Single texts are gathered into calls of the size that suits the scorer. A text without scores is
//! refused with a reason, never given a 0. All answers name the scorer in `x-detoxlm-scorer`, and
//! attributes that were asked for and are missing in `x-detoxlm-left-out`. Languages are not
//! detected: `detectedLanguages` is `["und"]`.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use detoxlm_core::{Attribute, scorer_fn};
//! use detoxlm_perspective::server::{Server, ServerConfig};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let scorer = scorer_fn("length-1", Attribute::TOXICITY, |text| Some(1.0 / text.len() as f32));
//! let server = Server::new(Arc::new(scorer), ServerConfig::default())?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! server.serve(listener, std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod analyze;
mod answer;
mod app;
mod batch;
mod config;
mod connections;
mod discovery;
mod gather;
#[cfg(test)]
mod gather_tests;
mod key;
mod multipart;
mod queue;
mod refusal;
mod routes;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use detoxlm_core::{Result, ToxicityScorer};
use tokio::net::TcpListener;

use self::app::App;
pub use self::app::Totals;
pub use self::config::ServerConfig;
pub use self::key::RequiredKey;
use self::routes::key_of;

/// The path of the method that scores.
const ANALYZE: &str = "/v1alpha1/comments:analyze";
/// The path of the method that takes corrections.
const SUGGEST_SCORE: &str = "/v1alpha1/comments:suggestscore";
/// Where Google's clients put a key that is not in the query.
const KEY_HEADER: &str = "x-goog-api-key";

/// A scorer that answers like Perspective.
#[derive(Clone, Debug)]
pub struct Server(Arc<App>);

impl Server {
    /// Puts a server before a scorer; to be called inside a tokio runtime.
    ///
    /// # Errors
    /// When a limit is 0, or outside of a runtime.
    pub fn new(scorer: Arc<dyn ToxicityScorer>, config: ServerConfig) -> Result<Self> {
        Ok(Self(Arc::new(App::new(scorer, config)?)))
    }

    /// The routes, to be served by others or nested in a larger service.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.0))
    }

    /// Serves HTTP/1.1 until `stop` is done, then finishes what is under way. Whether all of it was
    /// finished within [`ServerConfig::grace`].
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> bool {
        connections::serve(self.router(), listener, stop, self.0.config.grace).await
    }

    /// How many requests were answered so far, and how.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.0.totals()
    }
}
