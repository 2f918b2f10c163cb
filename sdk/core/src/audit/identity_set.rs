use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::COMPONENT;
use super::source::{Rows, label, no_field, plain, text};
use crate::corpus::FieldRow;
use crate::{Attribute, DigestBuilder, Error, ErrorKind, Info, Result};

/// A table of sentences that name identities, with a label each. The defaults are those of
/// Conversation AI's published templates (Dixon et al. 2018): columns `template`, `toxicity` (`toxic`
/// or `nontoxic`) and `phrase`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySource {
    /// A name for tables; the file's when empty.
    pub name: String,
    /// CSV, TSV or JSONL, also compressed ([`FieldRows`](crate::corpus::FieldRows)).
    pub file: PathBuf,
    /// Rows count whose fields have these values.
    #[serde(rename = "where")]
    pub filter: BTreeMap<String, String>,
    /// The first so many of them.
    pub limit: Option<usize>,
    /// The field of the text.
    pub text: String,
    /// The field of the label.
    pub label: String,
    /// The labels that mean toxic; when empty, labels are numbers or true and false.
    pub positive: Vec<String>,
    /// The identities, each a word or several. When empty, what follows the verb in sentences of the
    /// template `verb_adj`.
    pub terms: Vec<String>,
    /// The scorer's attribute that is audited.
    pub attribute: Attribute,
}

impl Default for IdentitySource {
    fn default() -> Self {
        Self {
            name: String::new(),
            file: PathBuf::new(),
            filter: BTreeMap::new(),
            limit: None,
            text: "phrase".to_owned(),
            label: "toxicity".to_owned(),
            positive: vec!["toxic".to_owned()],
            terms: Vec::new(),
            attribute: Attribute::TOXICITY,
        }
    }
}

/// A sentence with the identities that it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The text.
    pub text: String,
    /// Whether people call it toxic.
    pub toxic: bool,
    /// Which of the set's terms it names, ascending.
    pub identities: Vec<usize>,
}

/// Sentences that name identities, in memory.
#[derive(Clone, Debug)]
pub struct IdentitySet {
    /// Name, size and digest.
    pub info: Info,
    /// The identities.
    pub terms: Vec<String>,
    /// The sentences, also those that name none.
    pub sentences: Vec<Sentence>,
    /// The scorer's attribute that is audited.
    pub attribute: Attribute,
}

impl IdentitySource {
    /// Reads the sentences. A label at or above 0.5 means toxic; rows without a label are left out.
    ///
    /// # Errors
    /// When the file cannot be read, a row has no text or a label that is none, or there are no
    /// identities to look for.
    pub fn read(&self) -> Result<IdentitySet> {
        let rows = Rows { file: &self.file, filter: &self.filter, limit: self.limit };
        let mut labelled = Vec::new();
        let mut terms: BTreeSet<String> = self.terms.iter().cloned().collect();
        rows.for_each(|row| {
            let sentence = text(row, &self.text)?;
            if self.terms.is_empty() {
                terms.extend(template_term(row, &sentence));
            }
            let value = row.get(&self.label).ok_or_else(|| no_field(row, &self.label))?;
            if let Some(value) = label(value, &self.positive, &self.label)? {
                labelled.push((row.line, sentence, value >= 0.5));
            }
            Ok(())
        })?;
        if terms.iter().all(|term| words(term).is_empty()) {
            let message = "there are no identities to look for";
            return Err(Error::new(ErrorKind::InvalidInput, COMPONENT, "read a test set", message)
                .with_path(&self.file)
                .with_key("terms")
                .with_remedy(
                    "list them, terms = [\"gay\", \"straight\"]: only templates as \
                              published say which they are",
                ));
        }
        let name = rows.name(&self.name);
        Ok(IdentitySet::new(name, terms.into_iter().collect(), labelled, self.attribute.clone()))
    }
}

/// The identity of a sentence such as `hug grandmothers`, of the template `verb_adj`.
fn template_term(row: &FieldRow, sentence: &str) -> Option<String> {
    let template = row.get("template").map(plain)?;
    let (_, term) = sentence.trim().split_once(' ').filter(|_| template == "verb_adj")?;
    Some(term.trim().to_owned())
}

impl IdentitySet {
    /// Sentences from anywhere: line, text and whether it is toxic.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        terms: Vec<String>,
        sentences: Vec<(u64, String, bool)>,
        attribute: Attribute,
    ) -> Self {
        let finder = TermFinder::new(&terms);
        let mut digest = DigestBuilder::new();
        terms.iter().for_each(|term| {
            digest.update(term);
        });
        let sentences: Vec<Sentence> = sentences
            .into_iter()
            .map(|(line, text, toxic)| {
                digest.update(&text).update([u8::from(toxic)]);
                let identities = finder.find(&text);
                Sentence { line, text, toxic, identities }
            })
            .collect();
        let version = format!("{} sentences", sentences.len());
        Self { info: Info::new(name, version, digest.finish()), terms, sentences, attribute }
    }
}

/// Finds terms in texts, as whole words in any case.
#[derive(Debug)]
struct TermFinder {
    /// By a term's first word: the others, and which term it is; the longest first.
    by_first: HashMap<String, Vec<(Vec<String>, usize)>>,
}

impl TermFinder {
    fn new(terms: &[String]) -> Self {
        let mut by_first: HashMap<String, Vec<(Vec<String>, usize)>> = HashMap::new();
        for (number, term) in terms.iter().enumerate() {
            let mut words = words(term).into_iter();
            if let Some(first) = words.next() {
                by_first.entry(first).or_default().push((words.collect(), number));
            }
        }
        for terms in by_first.values_mut() {
            terms.sort_by_key(|(rest, _)| std::cmp::Reverse(rest.len()));
        }
        Self { by_first }
    }

    /// The terms that a text names, ascending, each once. Where one begins the longest counts:
    /// `african american` is not `african`, nor `american`.
    fn find(&self, text: &str) -> Vec<usize> {
        let words = words(text);
        let mut found = BTreeSet::new();
        let mut at = 0;
        while at < words.len() {
            let here = self.by_first.get(&words[at]).into_iter().flatten();
            let longest = here.into_iter().find(|(rest, _)| words[at + 1..].starts_with(rest));
            at += match longest {
                Some((rest, number)) => {
                    found.insert(*number);
                    1 + rest.len()
                }
                None => 1,
            };
        }
        found.into_iter().collect()
    }
}

/// The words of a text: letters and digits, in lower case.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn terms_are_whole_words_and_the_longest_counts() {
        let terms = ["african", "african american", "old", "gay"].map(str::to_owned);
        let finder = TermFinder::new(&terms);
        for (text, found) in [
            ("I am African.", vec![0]),
            ("an African-American, and OLD", vec![1, 2]),
            ("african american or african", vec![0, 1]),
            ("golden gayety", vec![]),
            ("old old", vec![2]),
            ("african", vec![0]),
            ("", vec![]),
        ] {
            assert_eq!(finder.find(text), found, "{text}");
        }
    }

    #[test]
    fn the_published_templates_say_which_identities_they_are_about() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("templates.csv");
        let csv = "template,toxicity,phrase\nverb_adj,nontoxic,hug old\nverb_adj,toxic,hate deaf\n\
                   being,nontoxic,being deaf is fine\nother,nontoxic,hello\n";
        fs::write(&file, csv).unwrap();
        let source = IdentitySource { file: file.clone(), ..IdentitySource::default() };
        let set = source.read().unwrap();
        assert_eq!(set.terms, ["deaf", "old"]);
        let named: Vec<_> = set.sentences.iter().map(|s| (s.identities.clone(), s.toxic)).collect();
        let expected = [(vec![1], false), (vec![0], true), (vec![0], false), (vec![], false)];
        assert_eq!(named, expected);
        let other = IdentitySource { terms: vec!["old".into()], ..source.clone() };
        assert_ne!(other.read().unwrap().info.digest, set.info.digest);
        fs::write(&file, "toxicity,phrase\ntoxic,hate deaf\n").unwrap();
        let error = source.read().unwrap_err();
        assert_eq!(error.key(), Some("terms"));
        let named = IdentitySource { terms: vec!["Deaf".into()], ..source };
        assert_eq!(named.read().unwrap().sentences[0].identities, [0]);
    }
}
