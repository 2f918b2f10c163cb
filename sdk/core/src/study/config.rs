use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::prompts::PromptStrategy;
use crate::selection::Selection;
use crate::training::{LearningRate, Method, TrainingConfig};
use crate::{Error, ErrorKind, GenerationConfig, Result};

/// What a study varies, and what it keeps the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudyConfig {
    /// Decides every random draw.
    pub seed: u64,
    /// How models write.
    pub generation: GenerationConfig,
    /// Which part of what they wrote is kept.
    pub selection: Selection,
    /// How models are trained.
    pub training: TrainingConfig,
    /// What they are trained on.
    pub corpora: Vec<StudyCorpus>,
    /// Which parameters are trained.
    pub methods: Vec<StudyMethod>,
}

impl Default for StudyConfig {
    fn default() -> Self {
        Self {
            // The seed of the reference's README.
            seed: 2333,
            generation: GenerationConfig::default(),
            selection: Selection::default(),
            training: TrainingConfig::default(),
            corpora: Vec::new(),
            methods: Vec::new(),
        }
    }
}

/// A model under study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudyModel {
    /// The name in tables and folders.
    pub name: String,
    /// Its directory.
    pub directory: PathBuf,
}

/// A training corpus under study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyCorpus {
    /// The name in tables and folders.
    pub name: String,
    /// Where its texts come from.
    pub source: CorpusSource,
}

/// Where the texts of a corpus come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum CorpusSource {
    /// The model writes them, and the least toxic part is kept (SGEAT).
    SelfGenerated {
        /// What it is prompted with.
        #[serde(default)]
        prompts: PromptStrategy,
    },
    /// The least toxic part of a file's texts (DAPT; Gururangan et al. 2020, Gehman et al. 2020).
    External {
        /// JSONL with a field `text`.
        file: PathBuf,
        /// The share that is kept; 0.02 in the paper.
        #[serde(default = "least_toxic_share")]
        keep_fraction: f64,
        /// Take the first so many texts.
        #[serde(default)]
        documents: Option<u64>,
    },
    /// Texts that people have labelled as not toxic.
    Labelled {
        /// JSONL with a field `text` and a label.
        file: PathBuf,
        /// The label's field: a number or a truth value.
        label: String,
        /// Texts whose label is at most this are not toxic.
        #[serde(default = "half")]
        at_most: f64,
        /// Draw so many of them; all if not given.
        #[serde(default)]
        documents: Option<u64>,
    },
}

const fn least_toxic_share() -> f64 {
    0.02
}

const fn half() -> f64 {
    0.5
}

/// A training method under study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyMethod {
    /// The name in tables and folders.
    pub name: String,
    /// Which parameters are trained.
    #[serde(default)]
    pub method: Method,
    /// In place of the study's learning rate.
    #[serde(default)]
    pub learning_rate: Option<LearningRate>,
    /// The corpora that it is tried on; all when none is named.
    #[serde(default)]
    pub corpora: Vec<String>,
}

impl StudyConfig {
    /// Checks everything before any work is done.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        self.generation.validate()?;
        self.selection.validate()?;
        self.training.validate()?;
        unique("corpora.name", self.corpora.iter().map(|corpus| &corpus.name))?;
        unique("methods.name", self.methods.iter().map(|method| &method.name))?;
        for StudyMethod { method, learning_rate, corpora, .. } in &self.methods {
            method.validate()?;
            learning_rate.iter().try_for_each(LearningRate::validate)?;
            corpora.iter().try_for_each(|name| self.require_corpus(name))?;
        }
        for StudyCorpus { source, .. } in &self.corpora {
            match source {
                CorpusSource::SelfGenerated { prompts } => prompts.validate()?,
                CorpusSource::External { keep_fraction, .. } => {
                    self.selection.clone().with_keep_fraction(*keep_fraction).validate()?;
                }
                CorpusSource::Labelled { .. } => {}
            }
        }
        Ok(())
    }

    fn require_corpus(&self, name: &str) -> Result<()> {
        let names: Vec<_> = self.corpora.iter().map(|corpus| corpus.name.as_str()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        let message = format!("no corpus is called \"{name}\"; there are: {}", names.join(", "));
        Err(Error::new(ErrorKind::InvalidConfig, "study", "start", message)
            .with_key("methods.corpora"))
    }

    /// Every corpus with every method that is tried on it, corpus by corpus.
    pub(super) fn grid(&self) -> impl Iterator<Item = (&StudyCorpus, &StudyMethod)> {
        self.corpora.iter().flat_map(|corpus| {
            let tried = |method: &&StudyMethod| {
                method.corpora.is_empty() || method.corpora.contains(&corpus.name)
            };
            self.methods.iter().filter(tried).map(move |method| (corpus, method))
        })
    }
}

/// That no two names share a folder, and every name has one.
pub(super) fn unique<'a>(key: &'static str, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut folders = BTreeSet::new();
    for name in names {
        let folder = folder(name);
        let problem = if folder.is_empty() {
            "has no letter or digit to name a folder by"
        } else if !folders.insert(folder) {
            "is there twice, but for capitals and punctuation"
        } else {
            continue;
        };
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "study",
            "start",
            format!("\"{name}\" {problem}"),
        )
        .with_key(key));
    }
    Ok(())
}

/// A name as a folder: letters and digits, and one hyphen for what is between them.
pub(super) fn folder(name: &str) -> String {
    let words = name.split(|character: char| !character.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.join("-")
}
