use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::COMPONENT;
use super::source::{Rows, bad_field, label, listed, no_field, plain, text};
use crate::corpus::FieldRow;
use crate::{Attribute, DigestBuilder, Error, ErrorKind, Info, Result};

/// A table of texts with labels, or with another scorer's stored scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelledSource {
    /// A name for tables; the file's when empty.
    pub name: String,
    /// CSV, TSV or JSONL, also compressed ([`FieldRows`](crate::corpus::FieldRows)).
    pub file: PathBuf,
    /// Rows count whose fields have these values: `version = "2020"`.
    #[serde(rename = "where")]
    pub filter: BTreeMap<String, String>,
    /// The first so many of them.
    pub limit: Option<usize>,
    /// The field of the text, such as `text` or `continuation.text`.
    pub text: String,
    /// The field of each attribute's label.
    pub labels: BTreeMap<Attribute, String>,
    /// A field that holds an object of numbers by attribute, in any case: another scorer's scores.
    pub scores: Option<String>,
    /// The labels that mean yes, where they are no numbers; all others mean no.
    pub positive: Vec<String>,
    /// From here on a label means yes.
    pub threshold: f64,
}

impl Default for LabelledSource {
    fn default() -> Self {
        Self {
            name: String::new(),
            file: PathBuf::new(),
            filter: BTreeMap::new(),
            limit: None,
            text: "text".to_owned(),
            labels: BTreeMap::new(),
            scores: None,
            positive: Vec::new(),
            threshold: 0.5,
        }
    }
}

/// A text with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledText {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The text.
    pub text: String,
    /// Its labels, in [0, 1]; an attribute without one is not there.
    pub labels: BTreeMap<Attribute, f64>,
}

/// Texts with labels, in memory.
#[derive(Clone, Debug)]
pub struct LabelledSet {
    /// Name, size and digest.
    pub info: Info,
    /// The texts.
    pub texts: Vec<LabelledText>,
    /// From here on a label means yes.
    pub threshold: f64,
}

/// Fields that say who gave a score. Scores of different ones are on different scales.
const ORIGIN: [&str; 2] = ["scorer", "version"];

impl LabelledSource {
    /// Reads the texts.
    ///
    /// # Errors
    /// When the file cannot be read; a row has no text or a label that is none; an attribute has no
    /// label at all; or the rows say that their scores are of more than one `scorer` or `version`: the
    /// scale of Perspective of 2020 is not that of 2024.
    pub fn read(&self) -> Result<LabelledSet> {
        if self.labels.is_empty() && self.scores.is_none() {
            let message = "nothing says where the labels are";
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "read a test set",
                message,
            )
            .with_path(&self.file)
            .with_key("labels")
            .with_remedy(
                "name a field for each attribute, labels = { TOXICITY = \"toxic\" }, \
                              or the object that holds them, scores = \"scores\"",
            ));
        }
        let mut texts = Vec::new();
        let mut origins: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        let mut first = None;
        let rows = Rows { file: &self.file, filter: &self.filter, limit: self.limit };
        rows.for_each(|row| {
            let labels = self.labels_of(row)?;
            *origins.entry(origin(row)).or_default() += 1;
            first.get_or_insert_with(|| row.clone());
            texts.push(LabelledText { line: row.line, text: text(row, &self.text)?, labels });
            Ok(())
        })?;
        let at = |error: Error| error.with_path(&self.file);
        if origins.len() > 1 {
            return Err(at(mixed(&origins)));
        }
        let all_without = |attribute: &Attribute| {
            texts.iter().all(|text: &LabelledText| !text.labels.contains_key(attribute))
        };
        if let Some((_, field)) = self.labels.iter().find(|(attribute, _)| all_without(attribute)) {
            return Err(at(match first {
                Some(row) if row.get(field).is_none() => no_field(&row, field),
                _ => bad_field(field, "it is blank in every row".to_owned()),
            }));
        }
        if texts.iter().all(|text| text.labels.is_empty()) {
            let field = self.scores.as_deref().unwrap_or_default();
            return Err(at(bad_field(field, "no row has a number there".to_owned())));
        }
        Ok(LabelledSet::new(rows.name(&self.name), texts, self.threshold))
    }

    fn labels_of(&self, row: &FieldRow) -> Result<BTreeMap<Attribute, f64>> {
        let mut labels = BTreeMap::new();
        if let Some(field) = &self.scores {
            match row.get(field) {
                Some(Value::Object(scores)) => {
                    let numbers = scores.iter().filter(|(_, value)| value.is_number());
                    for (name, value) in numbers {
                        let name_here = format!("{field}.{name}");
                        if let Some(value) = label(value, &[], &name_here)? {
                            labels.insert(name.parse()?, value);
                        }
                    }
                }
                Some(Value::Null) => {}
                Some(other) => {
                    let message = format!("{other} is no object of numbers by attribute");
                    return Err(bad_field(field, message));
                }
                None => return Err(no_field(row, field)),
            }
        }
        for (attribute, field) in &self.labels {
            let value = row.get(field).unwrap_or(&Value::Null);
            if let Some(value) = label(value, &self.positive, field)? {
                labels.insert(attribute.clone(), value);
            }
        }
        Ok(labels)
    }
}

impl LabelledSet {
    /// Texts from anywhere.
    #[must_use]
    pub fn new(name: impl Into<String>, texts: Vec<LabelledText>, threshold: f64) -> Self {
        let mut digest = DigestBuilder::new();
        for text in &texts {
            digest.update(&text.text);
            for (attribute, value) in &text.labels {
                digest.update(attribute.as_str()).update(value.to_le_bytes());
            }
        }
        let info = Info::new(name, format!("{} texts", texts.len()), digest.finish());
        Self { info, texts, threshold }
    }

    /// Every attribute that at least one text has a label for.
    #[must_use]
    pub fn attributes(&self) -> Vec<Attribute> {
        let mut attributes: Vec<Attribute> =
            self.texts.iter().flat_map(|text| text.labels.keys().cloned()).collect();
        attributes.sort();
        attributes.dedup();
        attributes
    }
}

/// Who gave the row's scores, as far as it says: `version=2020`.
fn origin(row: &FieldRow) -> Vec<String> {
    let said = |name: &&str| row.get(name).map(|value| format!("{name}={}", plain(value)));
    ORIGIN.iter().filter_map(said).collect()
}

fn mixed(origins: &BTreeMap<Vec<String>, u64>) -> Error {
    let named = origins.iter().map(|(origin, count)| (origin.join(" "), *count)).collect();
    let message = format!("the scores are of different scales: {}", listed(&named));
    let everywhere = |said: &&String| origins.keys().all(|origin| origin.contains(said));
    let example = origins.keys().flatten().find(|said| !everywhere(said));
    Error::new(ErrorKind::InvalidInput, COMPONENT, "read a test set", message)
        .with_key("where")
        .with_remedy(format!("keep one of them: where {}", example.map_or("", String::as_str)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(name: &str, content: &str, source: LabelledSource) -> Result<LabelledSet> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        fs::write(&file, content).unwrap();
        LabelledSource { file, ..source }.read()
    }

    fn labels(field: &str) -> LabelledSource {
        let labels = BTreeMap::from([(Attribute::TOXICITY, field.to_owned())]);
        LabelledSource { labels, ..LabelledSource::default() }
    }

    fn scores() -> LabelledSource {
        LabelledSource { scores: Some("scores".into()), ..LabelledSource::default() }
    }

    fn values(set: &LabelledSet) -> Vec<Option<f64>> {
        set.texts.iter().map(|text| text.labels.get(&Attribute::TOXICITY).copied()).collect()
    }

    #[test]
    fn labels_are_numbers_yes_or_no_or_named_and_blank_is_missing() {
        let csv = "text,toxic\nkind,0\nrude,1\nodd,\nhalf,0.5\nso,True\nnot,false\n";
        let set = read("a.csv", csv, labels("toxic")).unwrap();
        assert_eq!(
            values(&set),
            [Some(0.0), Some(1.0), None, Some(0.5), Some(1.0), Some(0.0)],
            "missing is never 0"
        );
        assert_eq!(set.texts.iter().map(|text| text.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
        let positive = vec!["hate".to_owned(), "offensive".to_owned()];
        let named = LabelledSource { positive, ..labels("class") };
        let csv = "text,class\na,hate\nb,neither\nc,offensive\n";
        assert_eq!(values(&read("a.csv", csv, named).unwrap()), [Some(1.0), Some(0.0), Some(1.0)]);
    }

    #[test]
    fn stored_scores_are_found_by_attribute_in_any_case() {
        let jsonl = "{\"c\":{\"text\":\"a\",\"toxicity\":0.7,\"THREAT\":null,\"insult\":0}}\n";
        let source = LabelledSource {
            text: "c.text".into(),
            scores: Some("c".into()),
            ..LabelledSource::default()
        };
        let set = read("a.jsonl", jsonl, source).unwrap();
        assert_eq!(set.attributes(), [Attribute::INSULT, Attribute::TOXICITY]);
        assert_eq!((set.texts[0].text.as_str(), values(&set)), ("a", vec![Some(0.7)]));
    }

    #[test]
    fn scores_of_two_versions_are_refused_and_kept_apart() {
        let row = |version, value| {
            format!(
                "{{\"text\":\"a\",\"version\":\"{version}\",\"scorer\":\"p\",\
                     \"scores\":{{\"toxicity\":{value}}}}}\n"
            )
        };
        let both = [row("2020", 0.9), row("rescored", 0.4), row("2020", 0.8)].concat();
        let error = read("a.jsonl", &both, scores()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("scorer=p version=2020 (2)"), "{message}");
        assert!(message.contains("version=rescored (1)"), "{message}");
        assert!(error.remedy().unwrap().contains("where version="), "{message}");
        let of = |version: &str| {
            let filter = BTreeMap::from([("version".to_owned(), version.to_owned())]);
            read("a.jsonl", &both, LabelledSource { filter, ..scores() })
        };
        assert_eq!(values(&of("2020").unwrap()), [Some(0.9), Some(0.8)]);
        let error = of("2021").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Empty);
        assert!(error.remedy().unwrap().contains("version=2020 (2)"), "{error}");
    }

    #[test]
    fn a_wrong_field_or_label_names_file_line_field_and_remedy() {
        let csv = "comment,toxic\nkind,0\nrude,very much so indeed yes\n";
        let by_comment = |field| LabelledSource { text: "comment".into(), ..labels(field) };
        let cases = [
            (labels("toxic"), Some(2), "text", "its fields are comment, toxic"),
            (by_comment("toxic"), Some(3), "toxic", "positive"),
            (by_comment("toxik"), None, "toxik", "its fields are comment, toxic"),
            (LabelledSource::default(), None, "labels", "TOXICITY"),
            (
                LabelledSource { scores: Some("toxic".into()), ..by_comment("toxic") },
                Some(2),
                "toxic",
                "",
            ),
        ];
        for (source, line, key, remedy) in cases {
            let error = read("a.csv", csv, source).unwrap_err();
            assert_eq!(error.line_number(), line, "{error}");
            assert_eq!(error.key(), Some(key), "{error}");
            assert!(error.path().is_some_and(|path| path.ends_with("a.csv")), "{error}");
            assert!(error.remedy().unwrap_or_default().contains(remedy), "{error}");
        }
        let error = read("a.csv", "text,toxic\na,2\n", labels("toxic")).unwrap_err();
        assert!(error.to_string().contains("2 is not in [0, 1]"), "{error}");
        let error = read("a.csv", "text,toxic\n", labels("toxic")).unwrap_err();
        assert!(error.to_string().contains("it has no rows"), "{error}");
    }
}
