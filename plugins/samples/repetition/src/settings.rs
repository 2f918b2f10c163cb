use detoxlm_guest::SettingsError;
use serde::Deserialize;

/// The most that a text may have of each measure, as a share of the text. 1 turns a rule off.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Characters that are no letters, of all but white space.
    pub no_letters: f64,
    /// Lines that were there before, of all lines.
    pub repeated_lines: f64,
    /// The characters of such lines.
    pub in_repeated_lines: f64,
    /// Paragraphs that were there before, of all paragraphs.
    pub repeated_paragraphs: f64,
    /// The characters of such paragraphs.
    pub in_repeated_paragraphs: f64,
    /// Bytes that a Lempel-Ziv coder copies from the kilobyte before.
    pub copied_bytes: f64,
    /// Texts of fewer words are not judged by their n-grams.
    pub fewest_words: usize,
    /// The characters of the most frequent n-gram, for n = 2, 3 and 4.
    pub in_top_ngram: [f64; 3],
    /// The characters of n-grams that were there before, for n = 5 to 10.
    pub in_repeated_ngrams: [f64; 6],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            no_letters: 0.5,
            repeated_lines: 0.30,
            in_repeated_lines: 0.20,
            repeated_paragraphs: 0.30,
            in_repeated_paragraphs: 0.20,
            copied_bytes: 0.5,
            fewest_words: 50,
            in_top_ngram: [0.20, 0.18, 0.16],
            in_repeated_ngrams: [0.15, 0.14, 0.13, 0.12, 0.11, 0.10],
        }
    }
}

impl Settings {
    /// Refuses limits that are no shares.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let limits = [
            ("no_letters", &[self.no_letters][..]),
            ("repeated_lines", &[self.repeated_lines]),
            ("in_repeated_lines", &[self.in_repeated_lines]),
            ("repeated_paragraphs", &[self.repeated_paragraphs]),
            ("in_repeated_paragraphs", &[self.in_repeated_paragraphs]),
            ("copied_bytes", &[self.copied_bytes]),
            ("in_top_ngram", &self.in_top_ngram),
            ("in_repeated_ngrams", &self.in_repeated_ngrams),
        ];
        let wrong = |limits: &[f64]| limits.iter().any(|limit| !(0.0..=1.0).contains(limit));
        match limits.into_iter().find(|(_, limits)| wrong(limits)) {
            Some((key, _)) => Err(SettingsError::new(key, "must be in [0, 1]")),
            None => Ok(()),
        }
    }
}
