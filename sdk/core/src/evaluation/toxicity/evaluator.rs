use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::judged::Judge;
use super::measure::Measured;
use super::{Continuations, ToxicitySettings};
use crate::calls::expect_attribute;
use crate::evaluation::work::{self, WorkDirectory, json, stated};
use crate::evaluation::{
    COMPONENT, Changes, Evaluation, EvaluationContext, Evaluator, PromptSet, Provenance,
};
use crate::info::DigestBuilder;
use crate::{Info, Result, Subject, ToxicityScorer};

/// Lets a model continue prompts and a judge score the continuations.
///
/// The context's directory holds `provenance.json`, `generations/part-NNNNN.jsonl`,
/// `scores/part-NNNNN.jsonl` and `metrics.json`. Threshold, preset, attribute and bootstrap do not
/// change the parts: with others, the numbers are computed anew from what is there.
#[derive(Clone, Debug)]
pub struct ToxicityEvaluator {
    info: Info,
    prompts: PromptSet,
    scorer: Arc<dyn ToxicityScorer>,
    settings: ToxicitySettings,
}

impl ToxicityEvaluator {
    /// Measures on `prompts`, with `scorer` as the judge.
    ///
    /// # Errors
    /// When a setting is impossible, or the judge does not give the attribute.
    pub fn new(
        prompts: PromptSet,
        scorer: Arc<dyn ToxicityScorer>,
        settings: ToxicitySettings,
    ) -> Result<Self> {
        settings.validate()?;
        expect_attribute(&*scorer, &settings.attribute, COMPONENT, "set up toxicity")?;
        let mut digest = DigestBuilder::new();
        digest.update(prompts.info().digest.as_str());
        digest.update(scorer.info().digest.as_str());
        digest.update(json(&settings)?.to_string());
        let info = Info::new("toxicity", env!("CARGO_PKG_VERSION"), digest.finish());
        Ok(Self { info, prompts, scorer, settings })
    }

    fn continuations(&self, work: WorkDirectory, shared: Option<WorkDirectory>) -> Continuations {
        Continuations {
            prompts: self.prompts.clone(),
            settings: self.settings.clone(),
            work,
            shared,
        }
    }

    fn read(&self, continuations: &Continuations) -> Result<Measured> {
        Measured::read(continuations, &self.scorer.capabilities().attributes)
    }

    fn provenance(&self, model: &Info) -> Result<Provenance> {
        let mut settings = stated(&self.settings)?;
        let sliceable = self.prompts.prompts().iter().filter(|p| p.toxicity.is_some()).count();
        settings.insert("prompts_with_toxicity".to_owned(), sliceable.into());
        Ok(Provenance {
            evaluator: self.info.clone(),
            model: model.clone(),
            scorer: Some(self.scorer.info().clone()),
            data: self.prompts.info().clone(),
            settings,
        })
    }
}

#[async_trait]
impl Evaluator for ToxicityEvaluator {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation> {
        let model = subject.generator.info();
        let provenance = self.provenance(model)?;
        let mut key = Continuations::key(&self.prompts, &self.settings, model)?;
        let shared = Continuations::shared(context.shared.as_deref(), key.clone())?;
        key.insert("scorer".to_owned(), json(self.scorer.info())?);
        let work = WorkDirectory::open(&context.directory, key)?;
        let continuations = self.continuations(work.clone(), shared);
        let judge = Judge(&*self.scorer);
        continuations.make_all(&*subject.generator, &judge, &context.observer).await?;
        let evaluator = self.clone();
        let measure =
            move || Ok(evaluator.read(&continuations)?.measurements(&evaluator.settings.bootstrap));
        work.conclude(subject, provenance, measure).await
    }

    /// The differences of EMT, probability and mean for every slice, and of every other attribute on
    /// `full`, each with a paired interval and the p-value of a [`PairedTest`](crate::evaluation::PairedTest).
    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes> {
        let evaluator = self.clone();
        work::changes(self.info.clone(), base, other, move |base, other| {
            let read = |work| evaluator.read(&evaluator.continuations(work, None));
            Ok(read(base)?.changes(&read(other)?, &evaluator.settings.bootstrap))
        })
        .await
    }
}
