//! What pipelines and studies are composed of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::self_generation::SelfGeneration;
use crate::evaluation::Suite;
use crate::pipeline::GenerationConfig;
use crate::prompts::PromptStrategy;
use crate::selection::Selection;
use crate::training::Trainer;
use crate::{
    Evaluator, Filter, Framework, LoadOptions, ModelLoader, Observer, Result, Silent, Subject,
    ToxicityScorer,
};

/// Who does what.
#[derive(Clone, Debug)]
pub(crate) struct Components {
    loader: Arc<dyn ModelLoader>,
    pub(crate) trainer: Arc<dyn Trainer>,
    pub(crate) scorer: Arc<dyn ToxicityScorer>,
    pub(crate) filters: Vec<Arc<dyn Filter>>,
    pub(crate) evaluators: Vec<Arc<dyn Evaluator>>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Components {
    /// Without filters and evaluators, and nobody hears.
    pub(crate) fn new(framework: &Framework, scorer: Arc<dyn ToxicityScorer>) -> Self {
        Self {
            loader: Arc::clone(&framework.loader),
            trainer: Arc::clone(&framework.trainer),
            scorer,
            filters: Vec::new(),
            evaluators: Vec::new(),
            observer: Arc::new(Silent),
        }
    }

    /// Loads a model, with an adapter if there is one, under a name for tables.
    pub(crate) async fn load(
        &self,
        name: &str,
        directory: &Path,
        adapter: Option<PathBuf>,
    ) -> Result<Subject> {
        let mut options = LoadOptions::default().with_observer(Arc::clone(&self.observer));
        options.adapter = adapter;
        let mut subject = self.loader.load(directory, &options).await?;
        name.clone_into(&mut subject.name);
        Ok(subject)
    }

    /// The stage that writes a corpus and chooses from it.
    pub(crate) fn self_generation<'a>(
        &'a self,
        seed: u64,
        prompts: &'a PromptStrategy,
        generation: &'a GenerationConfig,
        selection: &'a Selection,
    ) -> SelfGeneration<'a> {
        SelfGeneration {
            seed,
            prompts,
            generation,
            selection,
            scorer: &self.scorer,
            filters: &self.filters,
            observer: &self.observer,
        }
    }

    /// The stage that measures; what several measurements need is kept in `shared`.
    pub(crate) fn suite(&self, shared: PathBuf) -> Suite {
        Suite::new(self.evaluators.clone(), shared).with_observer(Arc::clone(&self.observer))
    }
}
