//! Does an implementation keep its trait's contract?
//!
//! Every trait of [`detoxlm_core`] says in its *Contract* section what a caller may rely on. There is
//! one suite here for each, which goes through that section and reports the first sentence that does
//! not hold, in the trait's own words, with what was seen. Backends, plugins and users' own
//! implementations run them in their tests:
//!
//! ```
//! use detoxlm_core::{Attribute, scorer_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), detoxlm_conformance::Violation> {
//! let exclamations = scorer_fn("exclamations-1", Attribute::TOXICITY, |text| {
//!     Some((text.matches('!').count() as f32 / 10.0).min(1.0))
//! });
//! detoxlm_conformance::scorer(&exclamations).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What cannot be seen from outside (that a digest covers the weights, that memory is shared) stays
//! with the implementation's own tests. [`clauses`] lists what is checked.

// A suite reports what it finds; it does not stop the test that runs it.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[macro_use]
mod clause;
mod causal_lm;
mod evaluator;
mod filter;
mod generator;
mod likelihood;
mod model_loader;
mod patience;
mod samples;
mod scorer;
mod snapshot;
mod tokenizer;
mod trainer;
mod violation;

pub use causal_lm::causal_lm;
pub use clause::Clause;
pub use evaluator::evaluator;
pub use filter::{filter, filter_on};
pub use generator::generator;
pub use likelihood::likelihood;
pub use model_loader::model_loader;
pub use scorer::{scorer, scorer_on, scorers_are_told_apart};
pub use tokenizer::tokenizer;
pub use trainer::trainer;
pub use violation::Violation;

/// Every sentence that the suites check.
pub fn clauses() -> impl Iterator<Item = Clause> {
    [
        scorer::CLAUSES,
        filter::CLAUSES,
        generator::CLAUSES,
        likelihood::CLAUSES,
        causal_lm::CLAUSES,
        causal_lm::session::CLAUSES,
        tokenizer::CLAUSES,
        trainer::CLAUSES,
        evaluator::CLAUSES,
        model_loader::CLAUSES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
