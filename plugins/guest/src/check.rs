//! What is wrong with a plugin's constants, found by the compiler.

use crate::Plugin;

const LONGEST_NAME: usize = 64;
const LONGEST_SUMMARY: usize = 400;
const MOST_ATTRIBUTES: usize = 64;

/// Does not compile for a plugin that no host would take.
pub const fn check<P: Plugin<N>, const N: usize>() {
    assert!(is_name(P::NAME, b"-_."), "NAME must be 1 to 64 letters, digits, `-`, `_` or `.`");
    assert!(is_name(P::VERSION, b"-_.+"), "VERSION must be like `1.2.0`");
    assert!(is_summary(P::SUMMARY), "SUMMARY must be a line of 1 to 400 bytes");
    assert!(N <= MOST_ATTRIBUTES, "ATTRIBUTES must be at most 64");
    assert!(N > 0 || P::REJECTS, "a plugin without ATTRIBUTES must have REJECTS");
    let mut this = 0;
    while this < N {
        let attribute = P::ATTRIBUTES[this];
        assert!(is_name(attribute, b"_"), "an attribute must be 1 to 64 letters, digits or `_`");
        let mut other = 0;
        while other < this {
            let twice = attribute.eq_ignore_ascii_case(P::ATTRIBUTES[other]);
            assert!(!twice, "ATTRIBUTES must not name one twice");
            other += 1;
        }
        this += 1;
    }
}

/// Whether a name is short, and of letters, digits and these signs.
const fn is_name(name: &str, signs: &[u8]) -> bool {
    let name = name.as_bytes();
    let mut at = 0;
    while at < name.len() {
        if !(name[at].is_ascii_alphanumeric() || contains(signs, name[at])) {
            return false;
        }
        at += 1;
    }
    !name.is_empty() && name.len() <= LONGEST_NAME
}

const fn is_summary(summary: &str) -> bool {
    let summary = summary.as_bytes();
    !summary.is_empty() && summary.len() <= LONGEST_SUMMARY && !contains(summary, b'\n')
}

const fn contains(bytes: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert!(is_name("word-list_2.x", b"-_.") && is_name(&"x".repeat(64), b""));
        for bad in ["", "word list", "naïve", "a/b", &"x".repeat(65)] {
            assert!(!is_name(bad, b"-_."), "{bad}");
        }
        assert!(is_name("IDENTITY_ATTACK", b"_") && !is_name("IDENTITY-ATTACK", b"_"));
    }

    #[test]
    fn summaries_are_one_line() {
        assert!(is_summary("Rejects texts."));
        assert!(!is_summary("") && !is_summary("Two\nlines.") && !is_summary(&"x".repeat(401)));
    }
}
