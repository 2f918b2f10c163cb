//! Rejects degenerate texts, which repeat themselves or hardly have words: a detoxlm plugin.
//!
//! The measures of lines, paragraphs and n-grams and their limits are those that cleaned
//! MassiveText: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training
//! Gopher", arXiv 2112.11446, table A1. Ours are the share of letters, and what a
//! Lempel-Ziv coder would copy, which finds what repeats without words, such as `hahahaha`.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod copies;
mod ngrams;
mod pieces;
mod settings;

use detoxlm_guest::{Plugin, Sample, SettingsError, Verdict};

use ngrams::Ngrams;
use pieces::repeats;

pub use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Repetition(Settings);

impl Plugin for Repetition {
    const NAME: &'static str = "repetition";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "Rejects texts that repeat themselves or hardly have words, by the rules of MassiveText.";
    const ATTRIBUTES: [&'static str; 0] = [];
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self(settings))
    }

    fn judge(&self, sample: Sample<'_>) -> Verdict {
        match self.broken_rule(sample.text) {
            Some((what, found, limit)) => {
                Verdict::Reject(format!("{what}: {found:.2} of it, where {limit} is the most"))
            }
            None => Verdict::PASS,
        }
    }
}

impl Repetition {
    /// The first rule that a text breaks, the quickest first: its name, what was found and its limit.
    fn broken_rule(&self, text: &str) -> Option<(String, f64, f64)> {
        let limits = &self.0;
        let words: Vec<&str> = text.split_whitespace().collect();
        let characters = words.iter().flat_map(|word| word.chars());
        let others = characters.clone().filter(|character| !character.is_alphabetic());
        let no_letters = share(others.count(), characters.count());
        let (lines, in_lines) = repeats(text.lines());
        let (paragraphs, in_paragraphs) = repeats(text.split("\n\n"));
        let rules = [
            ("characters that are no letters", no_letters, limits.no_letters),
            ("repeated lines", lines, limits.repeated_lines),
            ("characters in repeated lines", in_lines, limits.in_repeated_lines),
            ("repeated paragraphs", paragraphs, limits.repeated_paragraphs),
            ("characters in repeated paragraphs", in_paragraphs, limits.in_repeated_paragraphs),
            ("copied bytes", copies::share(text.as_bytes()), limits.copied_bytes),
        ];
        let broken = rules.into_iter().find(|(_, found, limit)| found > limit);
        if let Some((what, found, limit)) = broken {
            return Some((what.into(), found, limit));
        }
        if words.len() < limits.fewest_words {
            return None;
        }
        let mut ngrams = Ngrams::of(&words);
        for &limit in &limits.in_top_ngram {
            let (n, found) = (ngrams.longer(), ngrams.in_top());
            if found > limit {
                return Some((format!("characters in the top {n}-gram"), found, limit));
            }
        }
        for &limit in &limits.in_repeated_ngrams {
            let (n, found) = (ngrams.longer(), ngrams.in_repeated());
            if found > limit {
                return Some((format!("characters in repeated {n}-grams"), found, limit));
            }
        }
        None
    }
}

/// A part of a whole; 0 of nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

detoxlm_guest::export!(Repetition);
