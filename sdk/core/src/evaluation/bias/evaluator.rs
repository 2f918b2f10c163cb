use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::gaps::{ENOUGH, Table};
use super::sentiment::SentimentJudge;
use super::{BiasSettings, BoldSet, measure};
use crate::calls::expect_attribute;
use crate::evaluation::toxicity::{Continuations, Judge};
use crate::evaluation::work::{self, WorkDirectory, WorkKey, json, stated};
use crate::evaluation::{
    COMPONENT, Changes, Evaluation, EvaluationContext, EvaluationPrompt, Evaluator,
    PerplexityEvaluator, PromptSet, Provenance, TextSet,
};
use crate::info::DigestBuilder;
use crate::{Error, ErrorKind, Info, Result, Subject, ToxicityScorer};

const OPERATION: &str = "set up bias";

/// Who judges continuations; without either, nothing is generated.
#[derive(Clone, Debug, Default)]
pub struct BiasJudges {
    /// Says how toxic they are.
    pub toxicity: Option<Arc<dyn ToxicityScorer>>,
    /// Says how kind they are: any scorer with an attribute of which more is kinder.
    pub sentiment: Option<Arc<dyn ToxicityScorer>>,
}

/// Measures how differently a model treats the groups of BOLD's domains.
///
/// - **Perplexity** of the sentences of each group, as SGEAT measured on gender and race (Wang et al.
///   2022): text about whom does the model know worse?
/// - **Toxicity** of continuations of each group's prompts: their mean, and the share over the
///   threshold. Unlike an expected maximum neither grows with the number of continuations.
/// - **Sentiment** of the same continuations, if a judge of it is given. It says how kind a
///   continuation sounds, not whether it shows regard for the group, as the classifier of Sheng et al.
///   2019 was trained to say: "she was praised for nursing" is kind and may still be low regard.
///
/// Slices are `gender/American_actors` for a group and `gender` for a domain: all its texts taken
/// together, and under `*_gap` the largest difference between two of its groups. **Groups with one
/// item or none** have a value, or none, no interval and no part in the gap; a group so small by its
/// data is named in the provenance under `left_out_of_gaps`.
///
/// The context's directory holds `provenance.json`, `likelihoods/`, `generations/`, `scores/` and
/// `sentiments/` in parts, and `metrics.json`. Attributes, threshold and bootstrap do not change the
/// parts.
#[derive(Clone, Debug)]
pub struct BiasEvaluator {
    info: Info,
    set: BoldSet,
    judges: BiasJudges,
    settings: BiasSettings,
    perplexity: Option<PerplexityEvaluator>,
    prompts: Option<PromptSet>,
}

impl BiasEvaluator {
    /// Measures on `set`.
    ///
    /// # Errors
    /// When a setting is impossible, a judge does not give its attribute, or there is nothing to
    /// measure: no perplexity and no judge.
    pub fn new(set: &BoldSet, judges: BiasJudges, settings: BiasSettings) -> Result<Self> {
        settings.validate()?;
        if let Some(judge) = &judges.toxicity {
            expect_attribute(&**judge, &settings.attribute, COMPONENT, OPERATION)?;
        }
        if let Some(judge) = &judges.sentiment {
            expect_attribute(&**judge, &settings.sentiment_attribute, COMPONENT, OPERATION)
                .map_err(|e| e.with_key("sentiment_attribute"))?;
        }
        let is_judged = judges.toxicity.is_some() || judges.sentiment.is_some();
        if !settings.perplexity && !is_judged {
            return Err(refuse("neither perplexity nor a judge is asked for".to_owned())
                .with_key("perplexity")
                .with_remedy("measure perplexity, or name a judge of toxicity or of sentiment"));
        }
        let set =
            settings.per_group.map_or_else(|| Ok(set.clone()), |limit| set.per_group(limit))?;
        let name = set.info().name.clone();
        let perplexity = if settings.perplexity {
            let texts = TextSet::new(name.clone(), set.sentences().texts)?;
            Some(PerplexityEvaluator::new(texts, settings.of_sentences())?)
        } else {
            None
        };
        let prompts = if is_judged {
            let prompt = |text| EvaluationPrompt { text, toxicity: None, challenging: false };
            Some(PromptSet::new(name, set.prompts().texts.into_iter().map(prompt).collect())?)
        } else {
            None
        };
        let mut digest = DigestBuilder::new();
        digest.update(set.info().digest.as_str()).update(json(&settings)?.to_string());
        for judge in [&judges.toxicity, &judges.sentiment] {
            digest.update(judge.as_ref().map_or("", |judge| judge.info().digest.as_str()));
        }
        let info = Info::new("bias", env!("CARGO_PKG_VERSION"), digest.finish());
        Ok(Self { info, set, judges, settings, perplexity, prompts })
    }

    fn continuations(
        &self,
        work: &WorkDirectory,
        shared: Option<WorkDirectory>,
    ) -> Option<Continuations> {
        let (prompts, settings) = (self.prompts.clone()?, self.settings.of_continuations());
        Some(Continuations { prompts, settings, work: work.clone(), shared })
    }

    /// Has continuations made and judged, by one judge after the other: the second reads what was
    /// written for the first.
    async fn judge(
        &self,
        subject: &Subject,
        context: &EvaluationContext,
        work: &WorkDirectory,
    ) -> Result<()> {
        let Some(prompts) = &self.prompts else { return Ok(()) };
        let model = subject.generator.info();
        let key = Continuations::key(prompts, &self.settings.of_continuations(), model)?;
        let shared = Continuations::shared(context.shared.as_deref(), key)?;
        let Some(continuations) = self.continuations(work, shared) else { return Ok(()) };
        let (generator, observer) = (&*subject.generator, &context.observer);
        if let Some(judge) = &self.judges.toxicity {
            continuations.make_all(generator, &Judge(&**judge), observer).await?;
        }
        if let Some(judge) = &self.judges.sentiment {
            continuations.make_all(generator, &SentimentJudge(&**judge), observer).await?;
        }
        Ok(())
    }

    fn work_key(&self, model: &Info) -> Result<WorkKey> {
        let settings = &self.settings;
        let judge = |judge: &Option<Arc<dyn ToxicityScorer>>| {
            json(&judge.as_ref().map(|judge| judge.info().clone()))
        };
        Ok(WorkKey::from_iter([
            ("evaluator".to_owned(), json(&"bias")?),
            ("model".to_owned(), json(model)?),
            ("data".to_owned(), json(self.set.info())?),
            ("perplexity".to_owned(), json(&settings.perplexity)?),
            ("scorer".to_owned(), judge(&self.judges.toxicity)?),
            ("sentiment_scorer".to_owned(), judge(&self.judges.sentiment)?),
            ("continuations".to_owned(), json(&settings.continuations)?),
            ("sampling".to_owned(), json(&settings.sampling)?),
            ("seed".to_owned(), json(&settings.seed)?),
            ("prompts_per_unit".to_owned(), json(&settings.prompts_per_unit)?),
        ]))
    }

    fn provenance(&self, model: &Info) -> Result<Provenance> {
        let mut settings = stated(&self.settings)?;
        if let Some(judge) = &self.judges.sentiment {
            settings.insert("sentiment_scorer".to_owned(), json(judge.info())?);
        }
        let left_out: Vec<String> = self
            .set
            .groups()
            .filter(|group| group.prompts.min(group.sentences) < ENOUGH)
            .map(|group| format!("{}/{}", group.domain, group.name))
            .collect();
        if !left_out.is_empty() {
            settings.insert("left_out_of_gaps".to_owned(), json(&left_out)?);
        }
        Ok(Provenance {
            evaluator: self.info.clone(),
            model: model.clone(),
            scorer: self.judges.toxicity.as_ref().map(|judge| judge.info().clone()),
            data: self.set.info().clone(),
            settings,
        })
    }

    /// What the parts in a directory amount to, in the order in which tables list it.
    fn tables(&self, work: &WorkDirectory) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        if let Some(continuations) = self.continuations(work, None) {
            let layout = self.set.prompts().layout;
            let settings = &self.settings;
            if self.judges.toxicity.is_some() {
                let (attribute, threshold) = (&settings.attribute, settings.threshold);
                tables.push(measure::toxicity(
                    &continuations,
                    layout.clone(),
                    attribute,
                    threshold,
                )?);
            }
            if self.judges.sentiment.is_some() {
                tables.push(measure::sentiment(
                    &continuations,
                    layout,
                    &settings.sentiment_attribute,
                )?);
            }
        }
        if let Some(perplexity) = &self.perplexity {
            tables.push(measure::perplexity(perplexity, work, self.set.sentences())?);
        }
        Ok(tables)
    }
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, OPERATION, message)
}

#[async_trait]
impl Evaluator for BiasEvaluator {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation> {
        let model = subject.generator.info();
        let provenance = self.provenance(model)?;
        let likelihood = match (&self.perplexity, &subject.likelihood) {
            (Some(perplexity), Some(likelihood)) => Some((perplexity, likelihood)),
            (None, _) => None,
            (Some(_), None) => {
                let message = format!("`{}` gives no log-probabilities", subject.name);
                let kind = ErrorKind::Unsupported;
                return Err(Error::new(kind, COMPONENT, "measure bias", message)
                    .with_key("perplexity")
                    .with_remedy("set perplexity = false, or load the model locally"));
            }
        };
        let work = WorkDirectory::open(&context.directory, self.work_key(model)?)?;
        self.judge(subject, context, &work).await?;
        if let Some((perplexity, likelihood)) = likelihood {
            perplexity.rate_all(&**likelihood, &work, &context.observer).await?;
        }
        let (evaluator, parts) = (self.clone(), work.clone());
        let measure = move || {
            let bootstrap = &evaluator.settings.bootstrap;
            let tables = evaluator.tables(&parts)?;
            Ok(tables.iter().flat_map(|table| table.measurements(bootstrap)).collect())
        };
        work.conclude(subject, provenance, measure).await
    }

    /// The differences of every number, paired by prompt and by sentence.
    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes> {
        let evaluator = self.clone();
        work::changes(self.info.clone(), base, other, move |base, other| {
            let bootstrap = &evaluator.settings.bootstrap;
            let (base, other) = (evaluator.tables(&base)?, evaluator.tables(&other)?);
            let both = base.iter().zip(&other);
            Ok(both.flat_map(|(base, other)| base.changes(other, bootstrap)).collect())
        })
        .await
    }
}
