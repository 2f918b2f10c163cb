//! The published word lists, as they are embedded.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;

use detoxlm_core::{Digest, Error, ErrorKind, Result};
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::COMPONENT;

/// Made by `data/make_lexicon.py` from release 3.3.2.
const EMBEDDED: &[u8] = include_bytes!("../data/lexicon.json.gz");

/// What VADER knows of words, in lower case.
#[derive(Debug, Deserialize)]
pub(crate) struct Lexicon {
    /// How kind a word or emoticon is, from -4 to 4.
    pub(crate) valences: HashMap<String, f64>,
    /// What a character pictures.
    pub(crate) pictures: HashMap<char, String>,
    /// How much a degree word adds to the word after it.
    pub(crate) degrees: HashMap<String, f64>,
    /// Words that turn what follows.
    pub(crate) negations: HashSet<String>,
    /// Phrases with a valence of their own.
    pub(crate) phrases: HashMap<String, f64>,
}

impl Lexicon {
    /// Unpacks the lists, with the digest of their text.
    pub(crate) fn embedded() -> Result<(Self, Digest)> {
        let damaged = |message: String| {
            Error::new(ErrorKind::Internal, COMPONENT, "read the embedded lexicon", message)
        };
        let mut json = Vec::new();
        GzDecoder::new(EMBEDDED).read_to_end(&mut json).map_err(|e| damaged(e.to_string()))?;
        let lexicon = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
        Ok((lexicon, Digest::of(&json)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_have_the_published_lengths() {
        let (lexicon, _) = Lexicon::embedded().unwrap();
        assert_eq!(lexicon.valences.len(), 7_506);
        assert_eq!(lexicon.negations.len(), 59);
        assert_eq!((lexicon.degrees.len(), lexicon.phrases.len()), (84, 9));
        assert_eq!(lexicon.valences["good"], 1.9);
        assert!(lexicon.pictures[&'😁'].contains("beaming"));
    }
}
