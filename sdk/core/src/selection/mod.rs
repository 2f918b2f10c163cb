//! Which part of a corpus is kept: by default the least toxic half of the scored documents.
//!
//! The rule is a rank, not a threshold, so it works on any scorer's scale. The cut is exact and
//! found in constant memory, by reading the corpus three times.

mod candidate;
mod config;
mod cut;
mod reason;
mod screen;
mod select;
mod summary;

pub use candidate::{Candidate, Candidates, Dropped, Selectable};
pub use config::{Compat, Selection};
pub use cut::Cut;
pub use reason::Reason;
pub use select::{Outcome, Selector, select};
pub use summary::SelectionSummary;

const COMPONENT: &str = "selection";
