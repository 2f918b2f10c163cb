//! Perspective API, and whatever copies its protocol, as a detoxlm toxicity scorer: live, recorded and
//! replayed.
//!
//! Perspective API is out of service after 31 December 2026. [`Perspective`] asks it, or a replacement
//! at another endpoint; [`Recorder`] keeps every answer in a file while there are answers to be had;
//! [`Replay`] gives them again without a network, to the same texts.
//!
//! ```no_run
//! use detoxlm_core::{Sample, ToxicityScorer as _};
//! use detoxlm_perspective::{Perspective, PerspectiveOptions, Recorder, Replay};
//!
//! # async fn record() -> detoxlm_core::Result<()> {
//! let texts = [Sample::new("You are kind."), Sample::new("What a day!")];
//! // With the key in the environment variable PERSPECTIVE_API_KEY.
//! let live = Perspective::from_environment(&PerspectiveOptions::default())?;
//! let recorder = Recorder::open(live, "perspective.jsonl")?;
//! let recorded = recorder.score(&texts).await?;
//! // Next year:
//! assert_eq!(Replay::open("perspective.jsonl")?.score(&texts).await?, recorded);
//! # Ok(())
//! # }
//! ```
//!
//! [`protocol`] has what goes over the wire, for clients and for servers.
//!
//! # Secrets
//! A key is a [`Secret`]: it is sent to the endpoint over TLS, or to this machine, and shown nowhere, in
//! no error, `Debug` output, record or report; where a service repeats it, it is taken out.
//!
//! TLS is rustls on `ring`. Unless the program installed a `CryptoProvider` of its own, opening a
//! scorer installs that one for the process.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod protocol;
#[cfg(feature = "server")]
pub mod server;

mod client;
mod options;
mod record;
mod reply;
mod scorer;

use std::sync::Arc;

use detoxlm_core::Registry;

pub use detoxlm_core::remote::Secret;
pub use options::{LongTexts, PerspectiveOptions, Question};
pub use record::{Recorded, Recorder, Replay};
pub use reply::verdict_of;
pub use scorer::{Analysis, Perspective};

const COMPONENT: &str = "perspective";

/// The environment variable with the key.
pub const KEY_VARIABLE: &str = "PERSPECTIVE_API_KEY";

/// Adds three schemes: `perspective`, the service itself, with the key in `PERSPECTIVE_API_KEY`;
/// `perspective-at:URL`, a replacement that copies its protocol, asked as fast as it answers; and
/// `perspective-replay:FILE`, a record.
pub fn register(registry: &mut Registry) {
    registry.add_scorer("perspective", |_| {
        Ok(Arc::new(Perspective::from_environment(&PerspectiveOptions::default())?))
    });
    registry.add_scorer("perspective-at:URL", |url| {
        let options =
            PerspectiveOptions::default().with_endpoint(url).with_requests_per_second(None);
        Ok(Arc::new(Perspective::from_environment(&options)?))
    });
    registry.add_scorer("perspective-replay:FILE", |file| Ok(Arc::new(Replay::open(file)?)));
}
