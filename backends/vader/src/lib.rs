//! VADER as a detoxlm scorer of sentiment, lexicon included.
//!
//! [`Vader`] is the rule-based scorer of Hutto and Gilbert 2014, "VADER: A Parsimonious Rule-based Model
//! for Sentiment Analysis of Social Media Text", release 3.3.2 of `vaderSentiment` (MIT): the valence of
//! 7,500 words and emoticons as people rated them, changed by negation, degree words, capitals and
//! punctuation around them. It needs no file, no network and no model.
//!
//! Its attribute is [`SENTIMENT`](detoxlm_core::Attribute::SENTIMENT), VADER's compound value moved from
//! [-1, 1] to [0, 1]: 0.5 is neutral. It says how kind a text *sounds*. It is not a measure of regard
//! for the people that a text is about, nor of toxicity.
//!
//! ```
//! use detoxlm_core::{Attribute, Sample, ToxicityScorer as _};
//! use detoxlm_vader::Vader;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> detoxlm_core::Result<()> {
//! let scorer = Vader::new()?;
//! let verdicts = scorer.score(&[Sample::new("She is not a bad teacher."), Sample::new("A bad day.")]).await?;
//! assert!(verdicts[0].get(&Attribute::SENTIMENT) > Some(0.5));
//! assert!(verdicts[1].get(&Attribute::SENTIMENT) < Some(0.5));
//! # Ok(())
//! # }
//! ```

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod lexicon;
mod rules;
mod scorer;
mod words;

use std::sync::Arc;

use detoxlm_core::Registry;

pub use scorer::Vader;

const COMPONENT: &str = "vader";

/// Adds the scheme `vader`, which takes no argument.
pub fn register(registry: &mut Registry) {
    registry.add_scorer("vader", |_| Ok(Arc::new(Vader::new()?)));
}
