use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{COMPONENT, HEURISTIC_PROMPTS};
use crate::corpus::{JsonlReader, PromptRow};
use crate::{Error, ErrorKind, Result};

/// Where prompts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PromptStrategy {
    /// No prompt: the model sees only its beginning-of-sequence token. SGEAT (standard), the one
    /// that was released.
    Unconditional {},
    /// Instructions: [`HEURISTIC_PROMPTS`], unless `prompts` or `file` gives others.
    Heuristic {
        /// The prompts themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompts: Option<Vec<String>>,
        /// A JSONL file of prompts, as [`PromptRow`] reads it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
    },
    /// The first halves of the least toxic documents of a pool that the model writes unconditionally
    /// beforehand.
    Augmented {
        /// How many documents the pool has.
        #[serde(default = "default_pool")]
        documents: u64,
        /// The share of the pool, in (0, 1], whose first halves become prompts.
        #[serde(default = "default_keep_fraction")]
        keep_fraction: f64,
    },
}

impl Default for PromptStrategy {
    fn default() -> Self {
        Self::Unconditional {}
    }
}

const fn default_pool() -> u64 {
    1000
}

const fn default_keep_fraction() -> f64 {
    0.25
}

impl PromptStrategy {
    /// Our instructions.
    #[must_use]
    pub const fn heuristic() -> Self {
        Self::Heuristic { prompts: None, file: None }
    }

    /// First halves of the least toxic quarter of 1000 documents.
    #[must_use]
    pub const fn augmented() -> Self {
        Self::Augmented { documents: default_pool(), keep_fraction: default_keep_fraction() }
    }

    /// Checks the configuration, without reading files.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        let refuse = |key: &'static str, message: String| {
            Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up prompts", message)
                .with_key(key))
        };
        match self {
            Self::Unconditional {} => Ok(()),
            Self::Heuristic { prompts: Some(_), file: Some(_) } => {
                refuse("file", "`prompts` and `file` exclude each other".into())
            }
            Self::Heuristic { prompts: Some(prompts), .. } if prompts.is_empty() => {
                refuse("prompts", "an empty list; leave it out to use the default ones".into())
            }
            Self::Heuristic { .. } => Ok(()),
            Self::Augmented { documents: 0, .. } => {
                refuse("documents", "must be at least 1".into())
            }
            Self::Augmented { keep_fraction, .. }
                if !(*keep_fraction > 0.0 && *keep_fraction <= 1.0) =>
            {
                refuse("keep_fraction", format!("{keep_fraction} is not in (0, 1]"))
            }
            Self::Augmented { .. } => Ok(()),
        }
    }

    /// The prompts, where they do not depend on the model; `None` for `Augmented`, whose come from
    /// [`augmented_prompts`](super::augmented_prompts).
    ///
    /// # Errors
    /// When the configuration is impossible, or the file cannot be read or has no prompts.
    pub fn fixed_prompts(&self) -> Result<Option<Prompts>> {
        self.validate()?;
        match self {
            Self::Unconditional {} => Ok(Some(Prompts::unconditional())),
            Self::Heuristic { file: Some(file), .. } => Prompts::read(file).map(Some),
            Self::Heuristic { prompts: Some(prompts), .. } => {
                Prompts::new(prompts.clone()).map(Some)
            }
            Self::Heuristic { .. } => {
                Prompts::new(HEURISTIC_PROMPTS.map(str::to_owned).to_vec()).map(Some)
            }
            Self::Augmented { .. } => Ok(None),
        }
    }
}

/// Prompts to be used in turn, over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts(Vec<String>);

impl Prompts {
    /// Prompts in the order in which they are used.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(prompts: Vec<String>) -> Result<Self> {
        if prompts.is_empty() {
            return Err(Error::new(ErrorKind::Empty, COMPONENT, "set up prompts", "no prompts"));
        }
        Ok(Self(prompts))
    }

    /// The prompts of a JSONL file, as [`PromptRow`] reads them.
    ///
    /// # Errors
    /// When it cannot be read, a row is malformed, or there are none.
    pub fn read(path: &Path) -> Result<Self> {
        let prompts: Result<Vec<String>> = JsonlReader::<PromptRow>::open(path)?
            .map(|row| row.map(|row| row.text().to_owned()))
            .collect();
        Self::new(prompts?).map_err(|e| e.with_path(path))
    }

    /// The empty prompt alone.
    #[must_use]
    pub fn unconditional() -> Self {
        Self(vec![String::new()])
    }

    /// The prompt of document number `index`: the prompts in turn, so that each serves equally often
    /// and no randomness is needed.
    #[must_use]
    pub fn prompt_for(&self, index: u64) -> &str {
        // The remainder is less than a length, so it fits.
        &self.0[(index % self.0.len() as u64) as usize]
    }

    /// All prompts, each once.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::JsonlWriter;

    #[test]
    fn prompts_are_used_in_turn() {
        let prompts = Prompts::new(vec!["a".into(), "b".into()]).unwrap();
        let used: Vec<_> = (0..5).map(|index| prompts.prompt_for(index)).collect();
        assert_eq!(used, ["a", "b", "a", "b", "a"]);
        assert_eq!(Prompts::unconditional().prompt_for(u64::MAX), "");
        assert_eq!(Prompts::new(Vec::new()).unwrap_err().kind(), ErrorKind::Empty);
    }

    #[test]
    fn a_configuration_names_its_strategy() {
        let parse = |json: &str| serde_json::from_str::<PromptStrategy>(json);
        let cases = [
            (r#"{"strategy":"unconditional"}"#, PromptStrategy::Unconditional {}),
            (r#"{"strategy":"heuristic"}"#, PromptStrategy::heuristic()),
            (r#"{"strategy":"augmented"}"#, PromptStrategy::augmented()),
        ];
        for (json, expected) in cases {
            assert_eq!(parse(json).unwrap(), expected);
            let written = serde_json::to_string(&expected).unwrap();
            assert_eq!(parse(&written).unwrap(), expected);
        }
        assert!(parse(r#"{"strategy":"augmented","pool":1}"#).is_err());
        assert!(parse(r#"{"strategy":"unconditional","documents":1}"#).is_err());
        let unknown = parse(r#"{"strategy":"random"}"#).unwrap_err().to_string();
        assert!(unknown.contains("`heuristic`"), "{unknown}");
    }

    #[test]
    fn impossible_values_name_their_key() {
        for (json, key) in [
            (r#"{"strategy":"heuristic","prompts":[]}"#, "prompts"),
            (r#"{"strategy":"heuristic","prompts":["a"],"file":"b"}"#, "file"),
            (r#"{"strategy":"augmented","documents":0}"#, "documents"),
            (r#"{"strategy":"augmented","keep_fraction":1.5}"#, "keep_fraction"),
        ] {
            let strategy: PromptStrategy = serde_json::from_str(json).unwrap();
            assert_eq!(strategy.fixed_prompts().unwrap_err().key(), Some(key));
        }
    }

    #[test]
    fn own_prompts_replace_ours() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("prompts.jsonl");
        let mut writer = JsonlWriter::create(&file).unwrap();
        writer.write(&PromptRow::new("from a file")).unwrap();
        writer.commit().unwrap();
        let from_file = PromptStrategy::Heuristic { prompts: None, file: Some(file) };
        let inline = PromptStrategy::Heuristic { prompts: Some(vec!["own".into()]), file: None };
        let first = |strategy: PromptStrategy| {
            strategy.fixed_prompts().unwrap().unwrap().prompt_for(0).to_owned()
        };
        assert_eq!(first(from_file), "from a file");
        assert_eq!(first(inline), "own");
        assert_eq!(first(PromptStrategy::heuristic()), HEURISTIC_PROMPTS[0]);
        assert_eq!(first(PromptStrategy::Unconditional {}), "");
        assert_eq!(PromptStrategy::augmented().fixed_prompts().unwrap(), None);
    }
}
