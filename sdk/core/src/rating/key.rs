use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{COMPONENT, Question};
use crate::files::read_json;
use crate::{Digest, Error, ErrorKind, Info, Result};

/// A model whose continuations people rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedModel {
    /// Its name in results.
    pub name: String,
    /// The directory of an evaluation of it, with `provenance.json` and `generations/`.
    pub directory: PathBuf,
}

impl RatedModel {
    /// A model by the directory of its evaluation.
    #[must_use]
    pub fn new(name: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), directory: directory.into() }
    }
}

/// Which item of a sheet is whose. Raters must not see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatingKey {
    /// The sheet's name: a digest of its items and questions. Ratings of another sheet are refused.
    pub sheet: String,
    /// What decided prompts, samples and order.
    pub seed: u64,
    /// What was asked.
    pub questions: Vec<Question>,
    /// The models, the one that others are compared with first.
    pub models: Vec<KeyModel>,
    /// Prompts that could have been drawn and were left out, because a model wrote nothing but white
    /// space for them.
    pub left_out_as_blank: u64,
    /// The items in the order of the sheet.
    pub items: Vec<KeyItem>,
}

/// A model of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyModel {
    /// Its name.
    pub name: String,
    /// Who wrote the continuations.
    pub model: Info,
    /// Where they were read from.
    pub directory: PathBuf,
}

/// An item of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyItem {
    /// What the sheet calls it.
    pub id: String,
    /// The model's name.
    pub model: String,
    /// The number of the prompt in the evaluation.
    pub prompt: u64,
    /// Which of its continuations.
    pub sample: usize,
    /// The continuation's digest.
    pub text: Digest,
}

impl RatingKey {
    /// Reads `key.json`.
    ///
    /// # Errors
    /// When it cannot be read or is no key.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let key: Self = read_json(path)?;
        key.check().map_err(|e| e.with_path(path))?;
        Ok(key)
    }

    /// The models with the directories that they were read from.
    #[must_use]
    pub fn models(&self) -> Vec<RatedModel> {
        let models = self.models.iter();
        models.map(|model| RatedModel::new(model.name.clone(), model.directory.clone())).collect()
    }

    fn check(&self) -> Result<()> {
        Question::validate(&self.questions)?;
        let refuse = |key: &str, message: &'static str| {
            let kind = ErrorKind::InvalidInput;
            Err(Error::new(kind, COMPONENT, "read a key", message).with_key(key.to_owned()))
        };
        for (number, item) in self.items.iter().enumerate() {
            if self.models.iter().all(|model| model.name != item.model) {
                return refuse(&item.id, "its model is not among the key's");
            }
            if self.items[..number].iter().any(|other| other.id == item.id) {
                return refuse(&item.id, "the id is there twice");
            }
        }
        Ok(())
    }

    /// A model's items and their numbers, by prompt.
    pub(super) fn items_of(&self, model: &KeyModel) -> HashMap<u64, (usize, &KeyItem)> {
        self.items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.model == model.name)
            .map(|(number, item)| (item.prompt, (number, item)))
            .collect()
    }

    /// The numbers of items by their ids.
    pub(super) fn numbers(&self) -> HashMap<&str, usize> {
        self.items.iter().enumerate().map(|(number, item)| (item.id.as_str(), number)).collect()
    }
}
