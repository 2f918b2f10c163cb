//! A text is scored or it is not. Missing is never 0.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Attribute, Error, ErrorKind, Result};

/// The values of one text, each in [0, 1]; never empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Attribute, f32>", into = "BTreeMap<Attribute, f32>")]
pub struct Scores(BTreeMap<Attribute, f32>);

impl Scores {
    /// Checks and collects attribute values.
    ///
    /// # Errors
    /// When there is no value, or one is not a number in [0, 1]; the attribute is named.
    pub fn new(values: impl IntoIterator<Item = (Attribute, f32)>) -> Result<Self> {
        let values: BTreeMap<_, _> = values.into_iter().collect();
        let refuse = |message: String| {
            Error::new(ErrorKind::InvalidInput, "scoring", "accept scores", message)
        };
        if values.is_empty() {
            return Err(refuse("a scored text needs at least one attribute".into())
                .with_remedy("answer Unscored with a reason instead"));
        }
        match values.iter().find(|(_, value)| !(0.0..=1.0).contains(*value)) {
            Some((attribute, value)) => {
                Err(refuse(format!("{value} is not in [0, 1]")).with_key(attribute.to_string()))
            }
            None => Ok(Self(values)),
        }
    }

    /// The value of one attribute, if the scorer gives it.
    #[must_use]
    pub fn get(&self, attribute: &Attribute) -> Option<f32> {
        self.0.get(attribute).copied()
    }

    /// All values, in the order of the attributes' names.
    pub fn iter(&self) -> impl Iterator<Item = (&Attribute, f32)> {
        self.0.iter().map(|(attribute, value)| (attribute, *value))
    }
}

impl TryFrom<BTreeMap<Attribute, f32>> for Scores {
    type Error = Error;

    fn try_from(values: BTreeMap<Attribute, f32>) -> Result<Self> {
        Self::new(values)
    }
}

impl From<Scores> for BTreeMap<Attribute, f32> {
    fn from(scores: Scores) -> Self {
        scores.0
    }
}

/// Why a text has no scores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "reason", content = "detail", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unscored {
    /// Nothing but white space.
    Blank,
    /// Longer than the scorer reads, and it was told not to cut or window.
    TooLong,
    /// In a language that the scorer does not know.
    Language(String),
    /// The scorer or plugin declined, for the reason it gave.
    Abstained(String),
    /// The scorer failed on this text alone, for the reason it gave.
    Failed(String),
}

impl fmt::Display for Unscored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("blank"),
            Self::TooLong => f.write_str("too long"),
            Self::Language(language) => write!(f, "unsupported language {language}"),
            Self::Abstained(why) => write!(f, "abstained: {why}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// What a scorer says of one text.
///
/// As JSON, `{"scores": {"TOXICITY": 0.03}}` or `{"unscored": {"reason": "blank"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// At least one attribute has a value.
    #[serde(rename = "scores")]
    Scored(Scores),
    /// No value, for a reason.
    #[serde(rename = "unscored")]
    Unscored(Unscored),
}

impl Verdict {
    /// The value of one attribute; `None` when the text is unscored or the scorer lacks it.
    #[must_use]
    pub fn get(&self, attribute: &Attribute) -> Option<f32> {
        match self {
            Self::Scored(scores) => scores.get(attribute),
            Self::Unscored(_) => None,
        }
    }
}

impl From<Scores> for Verdict {
    fn from(scores: Scores) -> Self {
        Self::Scored(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_the_unit_interval_are_refused() {
        for bad in [-0.01, 1.01, f32::NAN, f32::INFINITY] {
            let error = Scores::new([(Attribute::TOXICITY, bad)]).unwrap_err();
            assert_eq!(error.key(), Some("TOXICITY"));
        }
        assert!(Scores::new([]).is_err());
    }

    #[test]
    fn json_keeps_missing_apart_from_zero() {
        let zero = Verdict::from(Scores::new([(Attribute::TOXICITY, 0.0)]).unwrap());
        let blank = Verdict::Unscored(Unscored::Blank);
        let zero_json = serde_json::to_string(&zero).unwrap();
        let blank_json = serde_json::to_string(&blank).unwrap();
        assert_eq!(zero_json, r#"{"scores":{"TOXICITY":0.0}}"#);
        assert_eq!(blank_json, r#"{"unscored":{"reason":"blank"}}"#);
        assert_eq!(serde_json::from_str::<Verdict>(&zero_json).unwrap(), zero);
        assert_eq!(serde_json::from_str::<Verdict>(&blank_json).unwrap(), blank);
        assert!(serde_json::from_str::<Verdict>(r#"{"scores":{"TOXICITY":1.5}}"#).is_err());
        assert_eq!(zero.get(&Attribute::TOXICITY), Some(0.0));
        assert_eq!(blank.get(&Attribute::TOXICITY), None);
    }
}
