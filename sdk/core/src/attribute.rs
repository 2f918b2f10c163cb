//! The dimensions of toxicity.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// One dimension of toxicity, in Perspective's naming: upper-case letters, digits and underscores.
///
/// The seven that the field reports are constants; a scorer may add its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Attribute(Cow<'static, str>);

impl Attribute {
    /// A rude, disrespectful or unreasonable text that makes people leave a discussion.
    pub const TOXICITY: Self = Self(Cow::Borrowed("TOXICITY"));
    /// The same, insensitive to mild swearing.
    pub const SEVERE_TOXICITY: Self = Self(Cow::Borrowed("SEVERE_TOXICITY"));
    /// Negative or hateful towards somebody because of their identity.
    pub const IDENTITY_ATTACK: Self = Self(Cow::Borrowed("IDENTITY_ATTACK"));
    /// Insulting or inflammatory towards a person or a group.
    pub const INSULT: Self = Self(Cow::Borrowed("INSULT"));
    /// Swear words and other obscene language.
    pub const PROFANITY: Self = Self(Cow::Borrowed("PROFANITY"));
    /// An intention to inflict pain, injury or violence.
    pub const THREAT: Self = Self(Cow::Borrowed("THREAT"));
    /// References to sexual acts or body parts.
    pub const SEXUALLY_EXPLICIT: Self = Self(Cow::Borrowed("SEXUALLY_EXPLICIT"));

    /// How kind a text sounds: 0 hostile, 0.5 neutral, 1 friendly. No dimension of toxicity: scorers of
    /// sentiment have it, which groups of people are compared by.
    pub const SENTIMENT: Self = Self(Cow::Borrowed("SENTIMENT"));

    /// The seven attributes that the field reports, in the order in which tables list them.
    pub const STANDARD: [Self; 7] = [
        Self::TOXICITY,
        Self::SEVERE_TOXICITY,
        Self::IDENTITY_ATTACK,
        Self::INSULT,
        Self::PROFANITY,
        Self::THREAT,
        Self::SEXUALLY_EXPLICIT,
    ];

    /// The name, upper-case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Attribute {
    type Err = Error;

    /// Accepts any case (`toxicity`, `TOXICITY`).
    fn from_str(name: &str) -> Result<Self, Error> {
        let upper = name.to_ascii_uppercase();
        let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if upper.is_empty() || !upper.chars().all(legal) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "core",
                "name an attribute",
                "an attribute is written in letters, digits and underscores",
            )
            .with_key(name.to_owned())
            .with_remedy("for example TOXICITY"));
        }
        Ok(Self::STANDARD
            .into_iter()
            .find(|known| known.as_str() == upper)
            .unwrap_or(Self(Cow::Owned(upper))))
    }
}

impl TryFrom<String> for Attribute {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<Attribute> for String {
    fn from(attribute: Attribute) -> Self {
        attribute.0.into_owned()
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
