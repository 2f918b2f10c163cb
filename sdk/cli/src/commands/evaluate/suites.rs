//! What each suite measures, and on what.

use std::path::Path;
use std::sync::Arc;

use detoxlm::causal_lm::Likelihood;
use detoxlm::evaluation::{
    BiasEvaluator, BiasJudges, BiasSettings, BoldSet, FluencyEvaluator, FluencySettings,
    PerplexityEvaluator, PerplexitySettings, PromptSet, Slice, TaskEvaluator, TaskSet,
    TaskSettings, TextSet, ToxicityEvaluator, ToxicitySettings,
};
use detoxlm::{Error, ErrorKind, Event, Result, ToxicityScorer};

use super::data::{ItemFiles, bold, items_of};
use super::{Evaluators, SuiteName};
use crate::prompts::Choice;
use crate::session::{DEFAULT_SCORER, Session};

/// Who says how kind a continuation sounds when nobody is named.
pub(super) const SENTIMENT: &str = "vader";

type Judge = Arc<dyn ToxicityScorer>;

/// Everything that evaluators are made of.
pub(super) struct Suites<'a> {
    pub(super) session: &'a Session,
    pub(super) toxicity: ToxicitySettings,
    pub(super) prompts: Option<&'a Path>,
    pub(super) slice: Option<Slice>,
    pub(super) text: Option<&'a Path>,
    pub(super) data: Option<&'a Path>,
    pub(super) tasks: &'a [String],
    pub(super) judges: &'a [String],
    pub(super) sentiment: &'a str,
    pub(super) per_group: Option<usize>,
    /// A second model.
    pub(super) fluency: Option<Arc<dyn Likelihood>>,
    pub(super) limit: Option<usize>,
    pub(super) out: &'a Path,
}

/// The evaluators of a suite; of `all`, those that there is data for.
pub(super) fn evaluators(suites: &Suites<'_>, suite: SuiteName) -> Result<Evaluators> {
    match suite {
        SuiteName::Rtp => suites.toxicity(&suites.judges()?),
        SuiteName::Perplexity => suites.perplexity(),
        SuiteName::Tasks => {
            let tasks = suites.tasks()?;
            if tasks.is_empty() {
                let message = "no items of any task were found";
                return Err(Error::new(ErrorKind::Empty, "evaluation", "find tasks", message)
                    .with_key("data")
                    .with_remedy(
                        "name a task and its items: --task NAME=FILE, or put them into --data DIR",
                    ));
            }
            Ok(tasks)
        }
        SuiteName::Bias => suites.bias(suites.data.unwrap_or(Path::new("")), &suites.judges()?),
        SuiteName::All => suites.all(),
    }
}

impl Suites<'_> {
    fn all(&self) -> Result<Evaluators> {
        let judges = self.judges()?;
        let mut all = self.toxicity(&judges)?;
        all.extend(self.perplexity()?);
        let tasks = self.tasks()?;
        if tasks.is_empty() {
            self.note("no zero-shot task is measured: put their items into --data DIR, as tasks/NAME.jsonl");
        }
        all.extend(tasks);
        match self.data.filter(|data| bold(data).is_dir()) {
            Some(data) => all.extend(self.bias(data, &judges)?),
            None => self.note("bias is not measured: put BOLD into --data DIR, as bold/"),
        }
        Ok(all)
    }

    fn note(&self, message: &str) {
        self.session.observer().observe(&Event::Note { message });
    }

    fn toxicity(&self, judges: &[Judge]) -> Result<Evaluators> {
        let prompts = self.prompts()?;
        let mut evaluators: Evaluators = Vec::new();
        for judge in judges {
            let (prompts, settings) = (prompts.clone(), self.toxicity.clone());
            let evaluator = ToxicityEvaluator::new(prompts, Arc::clone(judge), settings)?;
            evaluators.push(Arc::new(evaluator));
        }
        if let Some(rater) = &self.fluency {
            let settings =
                FluencySettings { toxicity: self.toxicity.clone(), ..FluencySettings::default() };
            let evaluator = FluencyEvaluator::new(prompts, Arc::clone(rater), settings)?;
            evaluators.push(Arc::new(evaluator));
        }
        Ok(evaluators)
    }

    fn prompts(&self) -> Result<PromptSet> {
        let Self { slice, limit, .. } = *self;
        let choice = Choice { slice, preset: self.toxicity.preset, limit };
        match self.prompts {
            Some(file) => choice.read(file),
            None => choice.of(default_prompts()?),
        }
    }

    /// The judges that are named, or those that come with the program.
    fn judges(&self) -> Result<Vec<Judge>> {
        let mut names: Vec<&str> = self.judges.iter().map(String::as_str).collect();
        if names.is_empty() {
            names.push(DEFAULT_SCORER);
        }
        names.into_iter().map(|name| self.session.registry.scorer(name)).collect()
    }

    fn perplexity(&self) -> Result<Evaluators> {
        let texts = match self.text {
            Some(file) => TextSet::read(file, self.limit)?,
            None => {
                let texts = default_texts()?;
                match self.limit {
                    Some(limit) => texts.first(limit)?,
                    None => texts,
                }
            }
        };
        Ok(vec![Arc::new(PerplexityEvaluator::new(texts, PerplexitySettings::default())?)])
    }

    fn tasks(&self) -> Result<Evaluators> {
        let asked = items_of(self.tasks, self.data, self.out)?;
        let mut evaluators: Evaluators = Vec::new();
        for ItemFiles { task, files } in asked {
            let set = TaskSet::read(task, files, self.limit)?;
            evaluators.push(Arc::new(TaskEvaluator::new(set, TaskSettings::default())?));
        }
        Ok(evaluators)
    }

    fn bias(&self, data: &Path, judges: &[Judge]) -> Result<Evaluators> {
        let set = BoldSet::open(bold(data), &[])?;
        let judges = BiasJudges {
            toxicity: judges.first().cloned(),
            sentiment: Some(self.session.registry.scorer(self.sentiment)?),
        };
        let settings = BiasSettings {
            attribute: self.toxicity.attribute.clone(),
            sampling: self.toxicity.sampling.clone(),
            seed: self.toxicity.seed,
            threshold: self.toxicity.threshold,
            per_group: self.per_group,
            ..BiasSettings::default()
        };
        Ok(vec![Arc::new(BiasEvaluator::new(&set, judges, settings)?)])
    }
}

#[cfg(feature = "defaults")]
fn default_prompts() -> Result<PromptSet> {
    detoxlm::defaults::prompts()
}

#[cfg(feature = "defaults")]
fn default_texts() -> Result<TextSet> {
    detoxlm::defaults::held_out()
}

#[cfg(not(feature = "defaults"))]
fn default_prompts() -> Result<PromptSet> {
    Err(crate::config::missing("prompts", "name a JSONL file of prompts"))
}

#[cfg(not(feature = "defaults"))]
fn default_texts() -> Result<TextSet> {
    Err(crate::config::missing("text", "name a .txt or a JSONL file"))
}
