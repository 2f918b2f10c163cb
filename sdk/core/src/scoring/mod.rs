//! What a text is worth: samples in, verdicts out.

mod closure;
mod filter;
pub mod layers;
pub mod remote;
mod scorer;
mod texts;
mod verdict;

pub use closure::{filter_fn, scorer_fn};
pub use filter::{Decision, Filter};
pub use scorer::{Sample, ScorerCapabilities, ToxicityScorer};
pub use texts::score_texts;
pub use verdict::{Scores, Unscored, Verdict};
