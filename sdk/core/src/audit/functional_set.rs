use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::source::{Rows, label, no_field, text};
use crate::{Attribute, DigestBuilder, Info, Result};

/// A table of cases, each with what it tests. The defaults are HateCheck's as published (Röttger et al.
/// 2021): columns `functionality`, `test_case` and `label_gold` (`hateful` or `non-hateful`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FunctionalSource {
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
    /// The field of what is tested.
    pub functionality: String,
    /// The field of the label.
    pub label: String,
    /// The labels that mean hateful; when empty, labels are numbers or true and false.
    pub positive: Vec<String>,
    /// The scorer's attribute that decides.
    pub attribute: Attribute,
}

impl Default for FunctionalSource {
    fn default() -> Self {
        Self {
            name: String::new(),
            file: PathBuf::new(),
            filter: BTreeMap::new(),
            limit: None,
            text: "test_case".to_owned(),
            functionality: "functionality".to_owned(),
            label: "label_gold".to_owned(),
            positive: vec!["hateful".to_owned()],
            attribute: Attribute::TOXICITY,
        }
    }
}

/// A case of a functional test.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What it tests.
    pub functionality: String,
    /// The text.
    pub text: String,
    /// Whether people call it hateful.
    pub hateful: bool,
}

/// Cases of a functional test, in memory.
#[derive(Clone, Debug)]
pub struct FunctionalSet {
    /// Name, size and digest.
    pub info: Info,
    /// The cases.
    pub cases: Vec<Case>,
    /// The scorer's attribute that decides.
    pub attribute: Attribute,
}

impl FunctionalSource {
    /// Reads the cases. A label at or above 0.5 means hateful; rows without a label are left out.
    ///
    /// # Errors
    /// When the file cannot be read, or a row lacks a field or has a label that is none.
    pub fn read(&self) -> Result<FunctionalSet> {
        let rows = Rows { file: &self.file, filter: &self.filter, limit: self.limit };
        let mut cases = Vec::new();
        rows.for_each(|row| {
            let value = row.get(&self.label).ok_or_else(|| no_field(row, &self.label))?;
            if let Some(value) = label(value, &self.positive, &self.label)? {
                cases.push(Case {
                    line: row.line,
                    functionality: text(row, &self.functionality)?,
                    text: text(row, &self.text)?,
                    hateful: value >= 0.5,
                });
            }
            Ok(())
        })?;
        Ok(FunctionalSet::new(rows.name(&self.name), cases, self.attribute.clone()))
    }
}

impl FunctionalSet {
    /// Cases from anywhere.
    #[must_use]
    pub fn new(name: impl Into<String>, cases: Vec<Case>, attribute: Attribute) -> Self {
        let mut digest = DigestBuilder::new();
        for case in &cases {
            digest.update(&case.functionality).update(&case.text).update([u8::from(case.hateful)]);
        }
        let version = format!("{} cases", cases.len());
        Self { info: Info::new(name, version, digest.finish()), cases, attribute }
    }
}
