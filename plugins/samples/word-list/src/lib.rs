//! Rejects texts with listed words, in disguise too: a detoxlm plugin.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod entry;
mod fold;
mod list;
mod node;
mod readings;
mod search;
mod tables;

use std::borrow::Cow;

use detoxlm_guest::{Plugin, Sample, SettingsError, Verdict};
use serde::Deserialize;

use list::List;
use readings::readings;
use search::Search;

/// The longest entry, in bytes: how far a search looks ahead.
const LONGEST_ENTRY: usize = 100;

/// What users may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Words and phrases to add.
    pub words: Vec<String>,
    /// Entries of the default list that are not to count.
    pub allow: Vec<String>,
    /// Whether the default list counts at all.
    pub default_list: bool,
    /// Whether words in disguise count: `b1orp`, `b l o r p`, `blooorp`, `blórp`.
    pub obfuscation: bool,
    /// The fewest listed words for which a text is rejected.
    pub minimum: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { words: vec![], allow: vec![], default_list: true, obfuscation: true, minimum: 1 }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct WordList {
    lists: Vec<List>,
    /// Whether an entry may begin with a byte, however read: asked of every byte of a text.
    begins: [bool; 256],
    disguises: bool,
    minimum: u32,
}

impl Plugin for WordList {
    const NAME: &'static str = "word-list";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Rejects texts with listed words, in disguise too.";
    const ATTRIBUTES: [&'static str; 0] = [];
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { words, allow, default_list, obfuscation: disguises, minimum } = settings;
        if minimum == 0 {
            return Err(SettingsError::new("minimum", "must be at least 1"));
        }
        if words.is_empty() && !default_list {
            return Err(SettingsError::new("words", "without the default list there must be some"));
        }
        let entry = |key, word: &String| {
            let written = spelling(word, disguises);
            entry::normalised(&written).filter(|entry| entry.len() <= LONGEST_ENTRY).ok_or_else(
                || {
                    let why =
                        format!("an entry has from 1 to {LONGEST_ENTRY} bytes, unlike `{word}`");
                    SettingsError::new(key, why)
                },
            )
        };
        let mut lists = Vec::new();
        if default_list {
            let mut list = List::published();
            for word in &allow {
                if !list.remove(&entry("allow", word)?) {
                    let why = format!("`{word}` is not in the default list");
                    return Err(SettingsError::new("allow", why));
                }
            }
            lists.push(list);
        } else if !allow.is_empty() {
            return Err(SettingsError::new("allow", "without the default list it means nothing"));
        }
        if !words.is_empty() {
            let entries: Result<_, _> = words.iter().map(|word| entry("words", word)).collect();
            lists.push(List::own(entries?));
        }
        let begins = |list: &List, byte| readings(byte).iter().any(|&letter| list.begins(letter));
        let begins = std::array::from_fn(|byte| lists.iter().any(|list| begins(list, byte as u8)));
        Ok(Self { lists, begins, disguises, minimum })
    }

    fn judge(&self, sample: Sample<'_>) -> Verdict {
        let text = spelling(sample.text, self.disguises);
        let search = Search { text: &text, disguises: self.disguises, begins: &self.begins };
        match search.count(&self.lists) {
            found if found < self.minimum => Verdict::PASS,
            1 => Verdict::Reject("1 listed word".into()),
            found => Verdict::Reject(format!("{found} listed words")),
        }
    }
}

fn spelling(text: &str, disguises: bool) -> Cow<'_, str> {
    if disguises { fold::fold(text) } else { fold::lower(text) }
}

detoxlm_guest::export!(WordList);
