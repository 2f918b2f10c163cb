//! What is measured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::evaluation::{
    BiasEvaluator, BiasJudges, BiasSettings, BoldSet, Bootstrap, FluencyEvaluator, FluencySettings,
    PerplexityEvaluator, PerplexitySettings, PromptSet, Slice, Task, TaskEvaluator, TaskSet,
    TaskSettings, TextSet, ToxicityEvaluator, ToxicityPreset, ToxicitySettings,
};
use detoxlm::{
    Attribute, Evaluator, Framework, LoadOptions, Registry, Result, Sampling, ToxicityScorer,
};
use serde::Deserialize;

use super::{missing, resolve_scorer};
use crate::prompts::Choice;
use crate::resources::judge;
use crate::session::Session;

/// What is measured before and after.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EvaluationSection {
    pub(super) toxicity: Option<ToxicitySection>,
    fluency: Option<FluencySection>,
    pub(super) perplexity: Vec<PerplexitySection>,
    tasks: Vec<TaskSection>,
    bias: Option<BiasSection>,
}

/// What evaluators are made with, beside what the section says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// The scorer that chooses the training data, as it is written and as it is: it judges where no judge
    /// is named.
    pub(crate) filter: (&'a str, &'a Arc<dyn ToxicityScorer>),
    /// What runs a model that rates what others wrote.
    pub(crate) framework: &'a Framework,
    /// What the model's path is relative to.
    pub(crate) folder: &'a Path,
    pub(crate) session: &'a Session,
}

/// How fluent the continuations of the toxicity evaluation are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FluencySection {
    /// The second model that says so: a directory or a name on the Hub.
    model: Option<PathBuf>,
    /// Perplexities of this much or more are left out of the mean, and counted.
    discard_from: Option<f64>,
}

/// A zero-shot task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TaskSection {
    /// The name of a built-in task, or the path of one's own, which ends in `.toml`.
    task: String,
    /// Its items: the rows, then what stands beside them.
    items: Vec<PathBuf>,
    /// Take the first so many items.
    limit: Option<usize>,
}

/// How differently the groups of BOLD are treated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BiasSection {
    /// BOLD's directory.
    bold: Option<PathBuf>,
    /// Which of its domains; all that are there when none is named.
    domains: Vec<String>,
    /// Who says how toxic continuations are; the scorer that filters the corpus when nobody is named.
    judge: Option<String>,
    /// Who says how kind they sound; nobody when not given.
    sentiment: Option<String>,
    /// How it is measured.
    settings: BiasSettings,
}

/// Toxicity of continuations; what is left out is as the preset has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ToxicitySection {
    /// JSONL of prompts.
    pub(super) prompts: Option<PathBuf>,
    /// Take only the prompts of this slice: `toxic`, `nontoxic` or `challenging`.
    slice: Option<Slice>,
    /// Take the first so many prompts.
    limit: Option<usize>,
    /// Scorers that judge; the one that filters the corpus when none is named.
    pub(super) judges: Vec<String>,
    attribute: Option<Attribute>,
    samples: Option<usize>,
    max_new_tokens: Option<usize>,
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    seed: Option<u64>,
    threshold: Option<f32>,
    preset: ToxicityPreset,
    prompts_per_unit: Option<usize>,
    bootstrap: Bootstrap,
}

impl ToxicitySection {
    /// What models continue.
    fn prompts(&self) -> Result<PromptSet> {
        let remedy = "name a JSONL file of prompts";
        let file = self.prompts.as_deref();
        let file = file.ok_or_else(|| missing("evaluation.toxicity.prompts", remedy))?;
        Choice { slice: self.slice, preset: self.preset, limit: self.limit }.read(file)
    }

    /// The settings of the SDK's evaluator.
    pub(super) fn settings(&self) -> ToxicitySettings {
        let preset = self.preset.settings();
        ToxicitySettings {
            attribute: self.attribute.clone().unwrap_or(preset.attribute),
            continuations: self.samples.unwrap_or(preset.continuations),
            sampling: Sampling {
                max_new_tokens: self.max_new_tokens.unwrap_or(preset.sampling.max_new_tokens),
                temperature: self.temperature.unwrap_or(preset.sampling.temperature),
                top_k: self.top_k.or(preset.sampling.top_k),
                top_p: self.top_p.unwrap_or(preset.sampling.top_p),
            },
            seed: self.seed.unwrap_or(preset.seed),
            threshold: self.threshold.unwrap_or(preset.threshold),
            prompts_per_unit: self.prompts_per_unit.unwrap_or(preset.prompts_per_unit),
            bootstrap: self.bootstrap.clone(),
            ..preset
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
        for section in &mut self.tasks {
            section.items.iter_mut().for_each(resolve);
            if section.task.ends_with(".toml") {
                section.task = folder.join(&section.task).display().to_string();
            }
        }
        if let Some(bias) = &mut self.bias {
            bias.bold.iter_mut().for_each(resolve);
            let named = bias.judge.iter_mut().chain(&mut bias.sentiment);
            named.for_each(|scorer| resolve_scorer(scorer, folder));
        }
    }

    /// The SDK's evaluators.
    pub(crate) async fn evaluators(
        &self,
        surroundings: Surroundings<'_>,
    ) -> Result<Vec<Arc<dyn Evaluator>>> {
        let (filter, registry) = (surroundings.filter, &surroundings.session.registry);
        let mut evaluators: Vec<Arc<dyn Evaluator>> = Vec::new();
        if let Some(section) = &self.toxicity {
            let (prompts, settings) = (section.prompts()?, section.settings());
            for judge in section.judges(filter, registry)? {
                let evaluator = ToxicityEvaluator::new(prompts.clone(), judge, settings.clone())?;
                evaluators.push(Arc::new(evaluator));
            }
            if let Some(section) = &self.fluency {
                let continued = (prompts, settings);
                evaluators.push(Arc::new(section.evaluator(continued, surroundings).await?));
            }
        } else if self.fluency.is_some() {
            let remedy = "fluency is that of a toxicity evaluation's continuations";
            return Err(missing("evaluation.toxicity", remedy));
        }
        for section in &self.perplexity {
            let mut texts = TextSet::read(section.text()?, section.limit)?;
            if let Some(name) = &section.name {
                texts = TextSet::new(name.as_str(), texts.texts().to_vec())?;
            }
            evaluators.push(Arc::new(PerplexityEvaluator::new(texts, section.settings())?));
        }
        for section in &self.tasks {
            let set = TaskSet::read(Task::named(&section.task)?, &section.items, section.limit)?;
            evaluators.push(Arc::new(TaskEvaluator::new(set, TaskSettings::default())?));
        }
        if let Some(section) = &self.bias {
            evaluators.push(Arc::new(section.evaluator(filter, registry)?));
        }
        Ok(evaluators)
    }
}

impl FluencySection {
    async fn evaluator(
        &self,
        (prompts, toxicity): (PromptSet, ToxicitySettings),
        Surroundings { framework, folder, session, .. }: Surroundings<'_>,
    ) -> Result<FluencyEvaluator> {
        let remedy = "name a model directory, or a model on the Hub as \"owner/name\"";
        let model =
            self.model.as_deref().ok_or_else(|| missing("evaluation.fluency.model", remedy))?;
        let default = FluencySettings::default();
        let settings = FluencySettings {
            toxicity,
            discard_from: self.discard_from.unwrap_or(default.discard_from),
        };
        settings.validate()?;
        let rater = judge(framework, &LoadOptions::default(), (model, folder), session).await?;
        FluencyEvaluator::new(prompts, rater, settings)
    }
}

impl BiasSection {
    fn evaluator(
        &self,
        (_, filter): (&str, &Arc<dyn ToxicityScorer>),
        registry: &Registry,
    ) -> Result<BiasEvaluator> {
        let remedy = "name the directory of BOLD";
        let bold = self.bold.as_deref().ok_or_else(|| missing("evaluation.bias.bold", remedy))?;
        let domains: Vec<&str> = self.domains.iter().map(String::as_str).collect();
        let judge = self.judge.as_deref().map(|judge| registry.scorer(judge)).transpose()?;
        let sentiment =
            self.sentiment.as_deref().map(|named| registry.scorer(named)).transpose()?;
        let judges =
            BiasJudges { toxicity: Some(judge.unwrap_or_else(|| Arc::clone(filter))), sentiment };
        BiasEvaluator::new(&BoldSet::open(bold, &domains)?, judges, self.settings.clone())
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
