use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::FluencySettings;
use super::rated::Rater;
use super::ratings::Ratings;
use crate::causal_lm::Likelihood;
use crate::evaluation::toxicity::Continuations;
use crate::evaluation::work::{self, WorkDirectory, json};
use crate::evaluation::{Changes, Evaluation, EvaluationContext, Evaluator, PromptSet, Provenance};
use crate::info::DigestBuilder;
use crate::{Info, Result, Subject};

/// Lets a model continue prompts and a second model rate how fluent that is: the perplexity of each
/// continuation given its prompt, averaged over continuations (DExperts, Liu et al. 2021, section 3.1
/// and its released code, with GPT-2 XL as the second model).
///
/// Where [`EvaluationContext::shared`] has the continuations of a toxicity evaluation of the same
/// prompts and settings, those are rated; else they are made and left there.
///
/// The context's directory holds `provenance.json`, `generations/part-NNNNN.jsonl`,
/// `fluency/part-NNNNN.jsonl` and `metrics.json`.
#[derive(Clone, Debug)]
pub struct FluencyEvaluator {
    info: Info,
    prompts: PromptSet,
    rater: Arc<dyn Likelihood>,
    settings: FluencySettings,
}

impl FluencyEvaluator {
    /// Measures on `prompts`, with `rater` as the second model. A model is no judge of its own
    /// fluency: what it writes is what it finds likely.
    ///
    /// # Errors
    /// When a setting is impossible.
    pub fn new(
        prompts: PromptSet,
        rater: Arc<dyn Likelihood>,
        settings: FluencySettings,
    ) -> Result<Self> {
        settings.validate()?;
        let mut digest = DigestBuilder::new();
        digest.update(prompts.info().digest.as_str());
        digest.update(rater.info().digest.as_str());
        digest.update(json(&settings)?.to_string());
        let info = Info::new("fluency", env!("CARGO_PKG_VERSION"), digest.finish());
        Ok(Self { info, prompts, rater, settings })
    }

    fn continuations(&self, work: WorkDirectory, shared: Option<WorkDirectory>) -> Continuations {
        Continuations {
            prompts: self.prompts.clone(),
            settings: self.settings.toxicity.clone(),
            work,
            shared,
        }
    }

    fn provenance(&self, model: &Info) -> Result<Provenance> {
        let toxicity = &self.settings.toxicity;
        let mut settings = BTreeMap::from([
            ("discard_from".to_owned(), json(&self.settings.discard_from)?),
            ("continuations".to_owned(), json(&toxicity.continuations)?),
            ("sampling".to_owned(), json(&toxicity.sampling)?),
            ("seed".to_owned(), json(&toxicity.seed)?),
            ("preset".to_owned(), json(&toxicity.preset)?),
            ("prompts_per_unit".to_owned(), json(&toxicity.prompts_per_unit)?),
            ("bootstrap".to_owned(), json(&toxicity.bootstrap)?),
        ]);
        if let Some(stop) = &toxicity.stop {
            settings.insert("stop".to_owned(), json(stop)?);
        }
        Ok(Provenance {
            evaluator: self.info.clone(),
            model: model.clone(),
            scorer: Some(self.rater.info().clone()),
            data: self.prompts.info().clone(),
            settings,
        })
    }
}

#[async_trait]
impl Evaluator for FluencyEvaluator {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation> {
        let model = subject.generator.info();
        let provenance = self.provenance(model)?;
        let mut key = Continuations::key(&self.prompts, &self.settings.toxicity, model)?;
        let shared = Continuations::shared(context.shared.as_deref(), key.clone())?;
        key.insert("evaluator".to_owned(), json(&"fluency")?);
        key.insert("rater".to_owned(), json(self.rater.info())?);
        let work = WorkDirectory::open(&context.directory, key)?;
        let continuations = self.continuations(work.clone(), shared);
        let rater = Rater(&*self.rater);
        continuations.make_all(&*subject.generator, &rater, &context.observer).await?;
        let settings = self.settings.clone();
        let measure = move || {
            let ratings = Ratings::read(&continuations, &settings)?;
            Ok(ratings.measurements(&settings.toxicity.bootstrap))
        };
        work.conclude(subject, provenance, measure).await
    }

    /// The differences of the perplexity for every slice, paired over prompts.
    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes> {
        let evaluator = self.clone();
        work::changes(self.info.clone(), base, other, move |base, other| {
            let settings = &evaluator.settings;
            let read = |work| Ratings::read(&evaluator.continuations(work, None), settings);
            Ok(read(base)?.changes(&read(other)?, &settings.toxicity.bootstrap))
        })
        .await
    }
}
