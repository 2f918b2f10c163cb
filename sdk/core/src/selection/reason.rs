use serde::{Deserialize, Serialize};

use crate::Unscored;

/// Why a document was dropped. The first of them that applies, in this order, is the reason.
///
/// As JSON, `"above_cut"` or `{"filtered":{"by":"slurs","why":"a slur"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A filter dropped it.
    Filtered {
        /// The filter's name.
        by: String,
        /// The reason it gave.
        why: String,
    },
    /// It has no scores; the verdict beside it says why.
    Unscored,
    /// It is scored, but not on the attribute that ranks.
    MissingAttribute,
    /// It has fewer characters or tokens than asked for.
    TooShort,
    /// Its text came before.
    Duplicate,
    /// Its value is over the cap.
    OverCap,
    /// Enough documents are less toxic.
    AboveCut,
}

impl Reason {
    /// The name in summaries, without details.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Filtered { .. } => "filtered",
            Self::Unscored => "unscored",
            Self::MissingAttribute => "missing_attribute",
            Self::TooShort => "too_short",
            Self::Duplicate => "duplicate",
            Self::OverCap => "over_cap",
            Self::AboveCut => "above_cut",
        }
    }
}

/// The kind of a missing verdict, without its detail: details are endless, a summary is not.
pub(super) const fn kind_of(unscored: &Unscored) -> &'static str {
    match unscored {
        Unscored::Blank => "blank",
        Unscored::TooLong => "too_long",
        Unscored::Language(_) => "language",
        Unscored::Abstained(_) => "abstained",
        Unscored::Failed(_) => "failed",
    }
}
