//! The configuration of a study: one TOML file.

use std::path::{Path, PathBuf};

use detoxlm::prompts::PromptStrategy;
use detoxlm::selection::Selection;
use detoxlm::study::{CorpusSource, StudyConfig, StudyCorpus, StudyMethod};
use detoxlm::training::TrainingConfig;
use detoxlm::{GenerationConfig, Result};
use serde::Deserialize;

use super::{EvaluationSection, missing, read, resolve_scorer};
use crate::compute::ComputeArguments;
use crate::session::DEFAULT_SCORER;

/// Everything that `detoxlm study` is told. Relative paths are relative to the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StudyFile {
    /// The models under study.
    pub(crate) models: Vec<ModelSection>,
    /// What rates corpora: `embedded`, `onnx:DIR` or `profanity-check`.
    pub(crate) scorer: String,
    /// The directory of the study.
    study: Option<PathBuf>,
    /// Where the file is.
    #[serde(skip)]
    folder: PathBuf,
    seed: u64,
    generation: GenerationConfig,
    selection: Selection,
    training: TrainingConfig,
    corpora: Vec<StudyCorpus>,
    methods: Vec<StudyMethod>,
    pub(crate) evaluation: EvaluationSection,
    /// What runs and trains the models.
    pub(crate) compute: ComputeArguments,
}

/// A model under study.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelSection {
    /// The name in tables and folders.
    pub(crate) name: String,
    /// A directory or a name on the Hub.
    pub(crate) model: PathBuf,
}

impl Default for StudyFile {
    fn default() -> Self {
        let StudyConfig { seed, generation, selection, training, corpora, methods } =
            StudyConfig::default();
        Self {
            models: Vec::new(),
            scorer: DEFAULT_SCORER.to_owned(),
            study: None,
            folder: PathBuf::new(),
            seed,
            generation,
            selection,
            training,
            corpora,
            methods,
            evaluation: EvaluationSection::default(),
            compute: ComputeArguments::default(),
        }
    }
}

impl StudyFile {
    /// Reads a file, or standard input when it is `-`.
    ///
    /// # Errors
    /// Those of [`read`](super::read), or when no model is named.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let (mut config, folder) = read::<Self>(path)?;
        if config.models.is_empty() {
            let remedy = "name at least one: [[models]] with `name` and `model`";
            return Err(missing("models", remedy).with_path(path));
        }
        config.resolve(&folder);
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        folder.clone_into(&mut self.folder);
        let resolve = |path: &mut PathBuf| *path = folder.join(&path);
        self.study.iter_mut().for_each(resolve);
        for corpus in &mut self.corpora {
            match &mut corpus.source {
                CorpusSource::SelfGenerated {
                    prompts: PromptStrategy::Heuristic { file: Some(file), .. },
                }
                | CorpusSource::External { file, .. }
                | CorpusSource::Labelled { file, .. } => resolve(file),
                _ => {}
            }
        }
        resolve_scorer(&mut self.scorer, folder);
        self.evaluation.resolve(folder);
    }

    /// The folder of the file.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The directory of the study.
    pub(crate) fn study(&self) -> Result<&Path> {
        let remedy = "name the directory in the configuration or with --study";
        self.study.as_deref().ok_or_else(|| missing("study", remedy))
    }

    /// What the SDK's study is told.
    pub(crate) fn config(&self) -> StudyConfig {
        StudyConfig {
            seed: self.seed,
            generation: self.generation.clone(),
            selection: self.selection.clone(),
            training: self.training.clone(),
            corpora: self.corpora.clone(),
            methods: self.methods.clone(),
        }
    }
}
