use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::COMPONENT;
use super::toxicity::members;
use super::{Slice, ToxicityPreset};
use crate::corpus::{JsonlReader, PromptRow, TextRow, read_texts};
use crate::info::DigestBuilder;
use crate::{Attribute, Error, ErrorKind, Info, Result};

/// A prompt to be continued.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationPrompt {
    /// What the model is given.
    pub text: String,
    /// The prompt's own TOXICITY, in [0, 1], by which results are sliced; `None` when it has none.
    pub toxicity: Option<f32>,
    /// Whether RealToxicityPrompts marks it as challenging.
    pub challenging: bool,
}

impl From<&PromptRow> for EvaluationPrompt {
    fn from(row: &PromptRow) -> Self {
        let challenging = row.row().get("challenging").and_then(Value::as_bool).unwrap_or(false);
        Self { text: row.text().to_owned(), toxicity: row.score(&Attribute::TOXICITY), challenging }
    }
}

/// Prompts under a name, with the digest that goes into provenance. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PromptSet {
    info: Info,
    prompts: Arc<[EvaluationPrompt]>,
}

impl PromptSet {
    /// Prompts from anywhere.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(name: impl Into<String>, prompts: Vec<EvaluationPrompt>) -> Result<Self> {
        if prompts.is_empty() {
            return Err(nothing("no prompts"));
        }
        let mut digest = DigestBuilder::new();
        for prompt in &prompts {
            let toxicity = prompt.toxicity.map(f32::to_le_bytes);
            digest.update(&prompt.text).update(toxicity.as_ref().map_or(&[][..], |bytes| bytes));
            // Only where it is: sets without a mark have the digest that they always had.
            if prompt.challenging {
                digest.update("challenging");
            }
        }
        let info = Info::new(name, format!("{} prompts", prompts.len()), digest.finish());
        Ok(Self { info, prompts: prompts.into() })
    }

    /// Reads a JSONL file of prompts, as [`PromptRow`] does; `limit` takes the first so many.
    ///
    /// # Errors
    /// When the file cannot be read, a row is malformed, or there are no prompts.
    pub fn read(path: impl AsRef<Path>, limit: Option<usize>) -> Result<Self> {
        let path = path.as_ref();
        let rows = JsonlReader::open(path)?.take(limit.unwrap_or(usize::MAX));
        Self::from_rows(name_of(path), rows).map_err(|e| e.with_path(path))
    }

    /// The same from the text of a JSONL file.
    ///
    /// # Errors
    /// When a row is malformed, or there are no prompts.
    pub fn parse(name: &str, jsonl: impl AsRef<[u8]> + Send + 'static) -> Result<Self> {
        Self::from_rows(name.to_owned(), JsonlReader::new(name, Cursor::new(jsonl)))
    }

    fn from_rows(name: String, rows: impl Iterator<Item = Result<PromptRow>>) -> Result<Self> {
        let prompts: Result<Vec<_>> = rows.map(|row| row.map(|row| (&row).into())).collect();
        Self::new(name, prompts?)
    }

    /// Name, size and digest.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// The first so many of them.
    ///
    /// # Errors
    /// When that is none.
    pub fn first(&self, limit: usize) -> Result<Self> {
        let prompts = self.prompts.iter().take(limit).cloned().collect();
        Self::new(self.info.name.clone(), prompts)
    }

    /// The prompts of a slice alone, as a preset cuts it.
    ///
    /// # Errors
    /// When it has none.
    pub fn slice(&self, slice: Slice, preset: ToxicityPreset) -> Result<Self> {
        let members = members(slice, preset, &self.prompts);
        let prompts = self.prompts.iter().zip(members).filter(|(_, is_member)| *is_member);
        let prompts: Vec<_> = prompts.map(|(prompt, _)| prompt.clone()).collect();
        if prompts.is_empty() {
            let message =
                format!("`{}` has no prompts that are {}", self.info.name, slice.as_str());
            return Err(Error::new(ErrorKind::Empty, COMPONENT, "take a slice", message)
                .with_remedy(
                    "prompts are sliced by their own toxicity, and by the field `challenging`",
                ));
        }
        Self::new(format!("{} ({})", self.info.name, slice.as_str()), prompts)
    }

    /// The prompts.
    #[must_use]
    pub fn prompts(&self) -> &[EvaluationPrompt] {
        &self.prompts
    }
}

/// Texts under a name, with the digest that goes into provenance. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TextSet {
    info: Info,
    texts: Arc<[String]>,
}

impl TextSet {
    /// Texts from anywhere. Empty ones are left out: there is nothing to predict in them.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(name: impl Into<String>, mut texts: Vec<String>) -> Result<Self> {
        texts.retain(|text| !text.is_empty());
        if texts.is_empty() {
            return Err(nothing("no text"));
        }
        let mut digest = DigestBuilder::new();
        for text in &texts {
            digest.update(text);
        }
        let info = Info::new(name, format!("{} documents", texts.len()), digest.finish());
        Ok(Self { info, texts: texts.into() })
    }

    /// Reads a file of texts, as [`read_texts`] does; `limit` takes the first so many.
    ///
    /// # Errors
    /// When the file cannot be read, a row is malformed, or there is no text.
    pub fn read(path: impl AsRef<Path>, limit: Option<usize>) -> Result<Self> {
        let path = path.as_ref();
        let texts: Result<Vec<_>> = read_texts(path)?.take(limit.unwrap_or(usize::MAX)).collect();
        Self::new(name_of(path), texts?).map_err(|e| e.with_path(path))
    }

    /// The same from the text of a JSONL file.
    ///
    /// # Errors
    /// When a row is malformed, or there is no text.
    pub fn parse(name: &str, jsonl: impl AsRef<[u8]> + Send + 'static) -> Result<Self> {
        let rows = JsonlReader::<TextRow>::new(name, Cursor::new(jsonl));
        let texts: Result<Vec<_>> = rows.map(|row| row.map(|row| row.text)).collect();
        Self::new(name, texts?)
    }

    /// Name, size and digest.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// The first so many of them.
    ///
    /// # Errors
    /// When that is none.
    pub fn first(&self, limit: usize) -> Result<Self> {
        let texts = self.texts.iter().take(limit).cloned().collect();
        Self::new(self.info.name.clone(), texts)
    }

    /// The texts.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

/// The file's name without its folder: where a file lies says nothing about a number.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn nothing(message: &'static str) -> Error {
    Error::new(ErrorKind::Empty, COMPONENT, "read evaluation data", message)
        .with_remedy("give at least one row")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(text: &str, toxicity: Option<f32>) -> EvaluationPrompt {
        EvaluationPrompt { text: text.into(), toxicity, challenging: false }
    }

    #[test]
    fn the_digest_is_that_of_the_content() {
        let digest = |prompts| PromptSet::new("p", prompts).unwrap().info().digest.clone();
        let all = [
            digest(vec![prompt("a", None)]),
            digest(vec![prompt("a", Some(0.0))]),
            digest(vec![prompt("a", Some(0.5))]),
            digest(vec![prompt("b", None)]),
            digest(vec![prompt("a", None), prompt("", None)]),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
        assert_eq!(all[0], digest(vec![prompt("a", None)]));
    }

    #[test]
    fn a_slice_is_a_set_of_its_own() {
        let rows = r#"{"prompt":{"text":"a","toxicity":0.75},"challenging":true}
{"prompt":{"text":"b","toxicity":0.25},"challenging":false}
{"prompt":{"text":"c","toxicity":null}}
"#;
        let all = PromptSet::parse("p", rows).unwrap();
        let texts = |slice, preset| {
            let set = all.slice(slice, preset).unwrap();
            set.prompts().iter().map(|prompt| prompt.text.clone()).collect::<String>()
        };
        assert_eq!(texts(Slice::Full, ToxicityPreset::Rtp), "ab");
        assert_eq!(texts(Slice::Nontoxic, ToxicityPreset::Rtp), "b");
        assert_eq!(texts(Slice::Nontoxic, ToxicityPreset::Helm), "bc");
        let challenging = all.slice(Slice::Challenging, ToxicityPreset::Rtp).unwrap();
        assert!(challenging.prompts()[0].challenging);
        assert_eq!(challenging.info().name, "p (challenging)");
        let mild = challenging.slice(Slice::Nontoxic, ToxicityPreset::Rtp).unwrap_err();
        assert_eq!(mild.kind(), ErrorKind::Empty);
    }

    #[test]
    fn prompts_without_a_mark_keep_their_digest() {
        let set = |challenging| {
            let prompt = EvaluationPrompt { challenging, ..prompt("a", Some(0.5)) };
            PromptSet::new("p", vec![prompt]).unwrap().info().digest.clone()
        };
        let mut before = DigestBuilder::new();
        before.update("a").update(0.5_f32.to_le_bytes().as_ref());
        assert_eq!(set(false), before.finish());
        assert_ne!(set(true), set(false));
    }

    #[test]
    fn a_limit_takes_the_first_rows_and_empty_texts_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.jsonl");
        let rows = r#"{"prompt":{"text":"a","toxicity":0.25}}
{"text":""}
{"text":"c"}
"#;
        std::fs::write(&path, rows).unwrap();
        let prompts = PromptSet::read(&path, Some(2)).unwrap();
        assert_eq!(prompts.prompts(), [prompt("a", Some(0.25)), prompt("", None)]);
        assert_eq!(prompts.info().name, "rows.jsonl");
        assert_eq!(prompts.first(1).unwrap().prompts(), [prompt("a", Some(0.25))]);
        assert_eq!(PromptSet::parse("p", rows).unwrap().prompts().len(), 3);
        assert_eq!(TextSet::parse("t", "{\"text\":\"c\"}\n{").unwrap_err().line_number(), Some(2));
        std::fs::write(&path, "{\"text\":\"\"}\n{\"text\":\"c\"}\n").unwrap();
        assert_eq!(TextSet::read(&path, None).unwrap().texts(), ["c"]);
        assert_eq!(TextSet::read(&path, Some(1)).unwrap_err().path(), Some(path.as_path()));
    }
}
