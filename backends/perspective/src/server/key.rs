//! The key that clients have to show, if one is required.

use std::fmt;
use std::hint::black_box;

use detoxlm_core::Digest;

/// A key that requests must carry. Only its digest is kept, and that is never printed.
#[derive(Clone)]
pub struct RequiredKey(Digest);

impl RequiredKey {
    /// Requires this key.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(Digest::of(key))
    }

    /// Whether it is this one, in a time that says nothing of where two keys differ.
    pub(super) fn admits(&self, shown: &str) -> bool {
        let shown = Digest::of(shown);
        let pairs = self.0.as_str().bytes().zip(shown.as_str().bytes());
        black_box(pairs.fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs))) == 0
    }
}

impl fmt::Debug for RequiredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequiredKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_itself_alone_and_shows_nothing() {
        let key = RequiredKey::new("correct horse");
        assert!(key.admits("correct horse"));
        for wrong in ["", "correct hors", "correct horsf", "correct horse "] {
            assert!(!key.admits(wrong), "{wrong}");
        }
        assert_eq!(format!("{key:?}"), "RequiredKey(..)");
    }
}
