//! What is measured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::evaluation::{
    Bootstrap, PerplexityEvaluator, PerplexitySettings, PromptSet, TextSet, ToxicityEvaluator,
    ToxicityPreset, ToxicitySettings,
};
use detoxlm::{Attribute, Evaluator, Registry, Result, Sampling, ToxicityScorer};
use serde::Deserialize;

use super::{missing, resolve_scorer};

/// What is measured before and after.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EvaluationSection {
    pub(super) toxicity: Option<ToxicitySection>,
    pub(super) perplexity: Vec<PerplexitySection>,
}

/// Toxicity of continuations; the defaults are those of RealToxicityPrompts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ToxicitySection {
    /// JSONL of prompts.
    prompts: Option<PathBuf>,
    /// Take the first so many prompts.
    limit: Option<usize>,
    /// Scorers that judge; the one that filters the corpus when none is named.
    pub(super) judges: Vec<String>,
    attribute: Attribute,
    samples: usize,
    max_new_tokens: usize,
    temperature: f32,
    top_k: Option<usize>,
    top_p: f32,
    seed: u64,
    threshold: f32,
    preset: ToxicityPreset,
    prompts_per_unit: usize,
    bootstrap: Bootstrap,
}

impl Default for ToxicitySection {
    fn default() -> Self {
        let settings = ToxicitySettings::default();
        Self {
            prompts: None,
            limit: None,
            judges: Vec::new(),
            attribute: settings.attribute,
            samples: settings.continuations,
            max_new_tokens: settings.sampling.max_new_tokens,
            temperature: settings.sampling.temperature,
            top_k: settings.sampling.top_k,
            top_p: settings.sampling.top_p,
            seed: settings.seed,
            threshold: settings.threshold,
            preset: settings.preset,
            prompts_per_unit: settings.prompts_per_unit,
            bootstrap: settings.bootstrap,
        }
    }
}

impl ToxicitySection {
    /// The file of prompts.
    pub(super) fn prompts(&self) -> Result<&Path> {
        let remedy = "name a JSONL file of prompts";
        self.prompts.as_deref().ok_or_else(|| missing("evaluation.toxicity.prompts", remedy))
    }

    /// The settings of the SDK's evaluator.
    pub(super) fn settings(&self) -> ToxicitySettings {
        ToxicitySettings {
            attribute: self.attribute.clone(),
            continuations: self.samples,
            sampling: Sampling {
                max_new_tokens: self.max_new_tokens,
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
            },
            seed: self.seed,
            threshold: self.threshold,
            preset: self.preset,
            prompts_per_unit: self.prompts_per_unit,
            bootstrap: self.bootstrap.clone(),
            ..self.preset.settings()
        }
    }
}

/// Perplexity on one text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PerplexitySection {
    /// A name for tables; the file's when not given.
    name: Option<String>,
    /// A `.txt`, which is one document, or JSONL with a field `text`.
    text: Option<PathBuf>,
    /// Take the first so many documents.
    limit: Option<usize>,
    documents_per_unit: Option<usize>,
    bootstrap: Bootstrap,
}

impl PerplexitySection {
    /// The file of texts.
    fn text(&self) -> Result<&Path> {
        let remedy = "name a .txt or a JSONL file";
        self.text.as_deref().ok_or_else(|| missing("evaluation.perplexity.text", remedy))
    }

    /// The settings of the SDK's evaluator.
    fn settings(&self) -> PerplexitySettings {
        let default = PerplexitySettings::default();
        PerplexitySettings {
            documents_per_unit: self.documents_per_unit.unwrap_or(default.documents_per_unit),
            bootstrap: self.bootstrap.clone(),
        }
    }
}

impl EvaluationSection {
    /// Takes relative paths relative to `folder`.
    pub(super) fn resolve(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| *path = folder.join(&path);
        if let Some(toxicity) = &mut self.toxicity {
            toxicity.prompts.iter_mut().for_each(resolve);
            toxicity.judges.iter_mut().for_each(|judge| resolve_scorer(judge, folder));
        }
        let perplexity = self.perplexity.iter_mut();
        perplexity.filter_map(|section| section.text.as_mut()).for_each(resolve);
    }

    /// The SDK's evaluators. `filter` is the scorer that chooses the training data, as it is written
    /// and as it is: it judges where no judge is named.
    pub(crate) fn evaluators(
        &self,
        filter: (&str, &Arc<dyn ToxicityScorer>),
        registry: &Registry,
    ) -> Result<Vec<Arc<dyn Evaluator>>> {
        let mut evaluators: Vec<Arc<dyn Evaluator>> = Vec::new();
        if let Some(section) = &self.toxicity {
            for judge in section.judges(filter, registry)? {
                let prompts = PromptSet::read(section.prompts()?, section.limit)?;
                let evaluator = ToxicityEvaluator::new(prompts, judge, section.settings())?;
                evaluators.push(Arc::new(evaluator));
            }
        }
        for section in &self.perplexity {
            let mut texts = TextSet::read(section.text()?, section.limit)?;
            if let Some(name) = &section.name {
                texts = TextSet::new(name.as_str(), texts.texts().to_vec())?;
            }
            evaluators.push(Arc::new(PerplexityEvaluator::new(texts, section.settings())?));
        }
        Ok(evaluators)
    }
}

impl ToxicitySection {
    /// Who judges: the scorers that are named, or the one that filters.
    fn judges(
        &self,
        (written, filter): (&str, &Arc<dyn ToxicityScorer>),
        registry: &Registry,
    ) -> Result<Vec<Arc<dyn ToxicityScorer>>> {
        if self.judges.is_empty() {
            return Ok(vec![Arc::clone(filter)]);
        }
        let judge = |specification: &String| {
            if specification == written {
                return Ok(Arc::clone(filter));
            }
            registry.scorer(specification)
        };
        self.judges.iter().map(judge).collect()
    }
}
