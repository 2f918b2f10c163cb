//! Texts cut into words as scikit-learn's `CountVectorizer` cuts them.

use detoxlm_core::{Error, ErrorKind, Result};
use regex::Regex;

use crate::COMPONENT;

/// Finds the words of a text: lower-case, then `(?u)\b\w\w+\b` in Python's sense of `\w`.
#[derive(Debug)]
pub(crate) struct Words(Regex);

impl Words {
    /// Python's `\w` is a letter or number of Unicode, or an underscore; Rust's has combining marks
    /// as well. A match is greedy, so that word boundaries need not be asked for.
    const PATTERN: &str = r"[\p{L}\p{N}_]{2,}";

    pub(crate) fn new() -> Result<Self> {
        Regex::new(Self::PATTERN).map(Self).map_err(|e| {
            Error::new(ErrorKind::Internal, COMPONENT, "build the tokenizer", e.to_string())
                .with_source(e)
        })
    }

    /// Calls `each` with every word, in the order of the text.
    pub(crate) fn each(&self, text: &str, each: impl FnMut(&str)) {
        let text = text.to_lowercase();
        self.0.find_iter(&text).map(|word| word.as_str()).for_each(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_python() {
        // What `re.findall(r"(?u)\b\w\w+\b", text.lower())` gives in Python 3.11.
        let cases: [(&str, &[&str]); 8] = [
            ("I don't, a b; OK!", &["don", "ok"]),
            ("of_course __ 2008x x² _", &["of_course", "__", "2008x", "x²"]),
            ("JOSÉ JOSE\u{301}s", &["josé", "jose"]),
            ("\u{24b6}bad \u{2460}bad", &["bad", "\u{2460}bad"]),
            ("ΜΕΛΟΣ İs", &["μελος"]),
            ("हिन्दी", &[]),
            ("naïve-café\u{200d}bar 竜龙 龙", &["naïve", "café", "bar", "竜龙"]),
            ("\u{1f469}\u{200d}\u{1f467} ok", &["ok"]),
        ];
        let words = Words::new().unwrap();
        for (text, expected) in cases {
            let mut found = Vec::new();
            words.each(text, |word| found.push(word.to_owned()));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
