//! What a scorer is worth and whom it wrongs, on sets that people labelled: an [`Auditor`] asks one
//! scorer, or two, for every text of its test sets and makes an [`Audit`] of the answers.
//!
//! | test set | measures |
//! | --- | --- |
//! | [`LabelledSet`]: texts with labels, or with another scorer's stored scores | how well the scorer orders texts and how far its values mean what they say, by attribute |
//! | [`IdentitySet`]: sentences that name identities | whether it rates an identity's sentences like everybody's (Borkan et al. 2019) |
//! | [`FunctionalSet`]: cases of a functional test | what it does not see (Röttger et al. 2021) |
//!
//! With a second scorer, also how far the two agree on each of them. A text without a score is counted
//! and left out, never taken for 0; where a measure has no meaning, as an area with one class alone,
//! it is missing.

mod agreement;
mod auditor;
mod functional;
mod functional_set;
mod identities;
mod identity_set;
mod labelled;
mod labelled_set;
mod page;
mod report;
mod source;
mod summary;
#[cfg(test)]
mod tests;

pub use agreement::{Agreement, AttributeAgreement, Difference};
pub use auditor::{Audit, AuditSettings, Auditor, TestSet};
pub use functional::{FunctionalAudit, Functionality};
pub use functional_set::{Case, FunctionalSet, FunctionalSource};
pub use identities::{IdentityAreas, IdentityAudit, MeanAreas, generalised_mean};
pub use identity_set::{IdentitySet, IdentitySource, Sentence};
pub use labelled::{AttributeAudit, Estimate, LabelledAudit};
pub use labelled_set::{LabelledSet, LabelledSource, LabelledText};

const COMPONENT: &str = "audit";
