//! `profanity-check` as a detoxlm toxicity scorer, weights included.
//!
//! [`ProfanityCheck`] is the classifier that Victor Zhou published under that name (release 1.0.3,
//! MIT): counts of 15,442 words, five linear support vector machines, Platt scaling. It needs no
//! file, no network and no other library, and it was trained on other data than the neural
//! classifiers (Wikipedia comments and tweets, about 200,000 texts), by another method: a second
//! judge beside the one that filtered a corpus.
//!
//! It counts words and sees no context: an insult in polite words is clean to it, a rude word quoted
//! with disapproval is not.
//!
//! ```
//! use detoxlm_core::{Attribute, Sample, ToxicityScorer as _};
//! use detoxlm_profanity_check::ProfanityCheck;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> detoxlm_core::Result<()> {
//! let scorer = ProfanityCheck::new()?;
//! let verdicts = scorer.score(&[Sample::new("You are an idiot.")]).await?;
//! assert!(verdicts[0].get(&Attribute::TOXICITY) > Some(0.5));
//! # Ok(())
//! # }
//! ```

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod classifier;
mod scorer;
mod weights;
mod words;

use std::sync::Arc;

use detoxlm_core::Registry;

pub use scorer::ProfanityCheck;

const COMPONENT: &str = "profanity-check";

/// Adds the scheme `profanity-check`, which takes no argument.
pub fn register(registry: &mut Registry) {
    registry.add_scorer("profanity-check", |_| Ok(Arc::new(ProfanityCheck::new()?)));
}
