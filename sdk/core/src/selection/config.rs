use serde::{Deserialize, Serialize};

use super::COMPONENT;
use crate::{Attribute, Error, ErrorKind, Result};

/// The rule by which documents are kept.
///
/// A document is *eligible* when no filter dropped it, it has a value for `attribute`, it is not too
/// short and, with `deduplicate`, it is the first with its text. Of n eligible documents the
/// `⌊n · keep_fraction⌋` with the lowest values are kept; of equal values, those that come first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// The attribute that ranks.
    pub attribute: Attribute,
    /// The share of the eligible documents to keep, in (0, 1], rounded down to whole documents. The
    /// product is taken as it reads: 0.29 of 100 is 29, though its binary value is a hair less.
    pub keep_fraction: f64,
    /// The highest value that may be kept, in [0, 1]. It applies after the rank and makes the kept
    /// part smaller; nothing moves up to fill it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<f32>,
    /// The fewest characters (Unicode scalar values) of a text, white space at its ends not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_characters: Option<usize>,
    /// The fewest tokens of a text, as its row says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_tokens: Option<usize>,
    /// Whether a text that came before is dropped. Texts are compared by a 128-bit hash, white space
    /// at their ends not counted. This is the one thing whose memory grows with the corpus: 20 to 35
    /// bytes a document.
    pub deduplicate: bool,
    /// Reproduces another implementation's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compat: Option<Compat>,
}

/// Another implementation's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Compat {
    /// The code released with SGEAT: the fraction is taken of *all* documents, those without a score
    /// included, and then filled from the scored ones. So a little more than half of the scored ones
    /// is kept.
    #[serde(rename = "sgeat-2022")]
    Sgeat2022,
}

impl Default for Selection {
    /// SGEAT's rule: the half with the lowest TOXICITY, and nothing else.
    fn default() -> Self {
        Self {
            attribute: Attribute::TOXICITY,
            keep_fraction: 0.5,
            cap: None,
            minimum_characters: None,
            minimum_tokens: None,
            deduplicate: false,
            compat: None,
        }
    }
}

impl Selection {
    /// Sets the attribute that ranks.
    #[must_use]
    pub fn with_attribute(mut self, attribute: Attribute) -> Self {
        self.attribute = attribute;
        self
    }

    /// Sets the share of the eligible documents to keep.
    #[must_use]
    pub const fn with_keep_fraction(mut self, keep_fraction: f64) -> Self {
        self.keep_fraction = keep_fraction;
        self
    }

    /// Sets the highest value that may be kept.
    #[must_use]
    pub const fn with_cap(mut self, cap: f32) -> Self {
        self.cap = Some(cap);
        self
    }

    /// Sets the fewest characters of a text.
    #[must_use]
    pub const fn with_minimum_characters(mut self, characters: usize) -> Self {
        self.minimum_characters = Some(characters);
        self
    }

    /// Sets the fewest tokens of a text.
    #[must_use]
    pub const fn with_minimum_tokens(mut self, tokens: usize) -> Self {
        self.minimum_tokens = Some(tokens);
        self
    }

    /// Drops texts that came before.
    #[must_use]
    pub const fn with_deduplicate(mut self, deduplicate: bool) -> Self {
        self.deduplicate = deduplicate;
        self
    }

    /// Reproduces another implementation's rule.
    #[must_use]
    pub const fn with_compat(mut self, compat: Compat) -> Self {
        self.compat = Some(compat);
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        let refuse = |key: &'static str, message: String| {
            Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up a selection", message)
                .with_key(key))
        };
        if !(self.keep_fraction > 0.0 && self.keep_fraction <= 1.0) {
            return refuse("keep_fraction", format!("{} is not in (0, 1]", self.keep_fraction));
        }
        match self.cap {
            Some(cap) if !(0.0..=1.0).contains(&cap) => {
                refuse("cap", format!("{cap} is not in [0, 1]"))
            }
            _ => Ok(()),
        }
    }

    /// How many documents the rank keeps.
    pub(super) fn quota(&self, documents: u64, eligible: u64) -> u64 {
        let of = match self.compat {
            Some(Compat::Sgeat2022) => documents,
            None => eligible,
        };
        // The fraction and the product are each within half a unit in the last place of what the
        // user wrote: without the allowance 0.29 of 100 would be 28.
        let exact = of as f64 * self.keep_fraction * 2.0_f64.mul_add(f64::EPSILON, 1.0);
        (exact.floor() as u64).min(eligible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_rounded_down_as_it_reads() {
        let quota = |fraction, n| Selection::default().with_keep_fraction(fraction).quota(n, n);
        for (fraction, n, expected) in [
            (0.5, 5, 2),
            (0.5, 1, 0),
            (0.29, 100, 29),
            (0.57, 100, 57),
            (0.07, 100, 7),
            (1.0, 7, 7),
            (0.02, 149, 2),
            (0.999_999, 1_000_000, 999_999),
            (0.1, 2_486_050, 248_605),
        ] {
            assert_eq!(quota(fraction, n), expected, "{fraction} of {n}");
        }
        let reference = Selection::default().with_compat(Compat::Sgeat2022);
        assert_eq!(reference.quota(10, 7), 5);
        assert_eq!(reference.quota(10, 3), 3);
    }

    #[test]
    fn impossible_values_name_their_key() {
        for (selection, key) in [
            (Selection::default().with_keep_fraction(0.0), "keep_fraction"),
            (Selection::default().with_keep_fraction(f64::NAN), "keep_fraction"),
            (Selection::default().with_cap(1.1), "cap"),
        ] {
            assert_eq!(selection.validate().unwrap_err().key(), Some(key));
        }
        assert!(Selection::default().validate().is_ok());
    }

    #[test]
    fn a_configuration_states_only_what_it_changes() {
        let selection: Selection =
            serde_json::from_str(r#"{"attribute":"insult","compat":"sgeat-2022"}"#).unwrap();
        let expected =
            Selection::default().with_attribute(Attribute::INSULT).with_compat(Compat::Sgeat2022);
        assert_eq!(selection, expected);
        assert!(serde_json::from_str::<Selection>(r#"{"fraction":0.5}"#).is_err());
    }
}
