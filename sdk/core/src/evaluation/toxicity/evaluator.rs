use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::ToxicitySettings;
use super::measure::Measured;
use super::units::{SCORES, Units};
use crate::evaluation::work::{WorkDirectory, WorkKey, json, refuse_unless_comparable};
use crate::evaluation::{
    COMPONENT, Changes, Evaluation, EvaluationContext, Evaluator, PromptSet, Provenance,
};
use crate::info::DigestBuilder;
use crate::worker::blocking;
use crate::{Attribute, Digest, Error, ErrorKind, Info, Result, Subject, ToxicityScorer};

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
        let attributes = &scorer.capabilities().attributes;
        if !attributes.contains(&settings.attribute) {
            let there: Vec<_> = attributes.iter().map(Attribute::as_str).collect();
            let message = format!("{} does not give {}", scorer.info().name, settings.attribute);
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "set up toxicity",
                message,
            )
            .with_key("attribute")
            .with_remedy(format!("it gives {}", there.join(", "))));
        }
        let mut digest = DigestBuilder::new();
        digest.update(prompts.info().digest.as_str());
        digest.update(scorer.info().digest.as_str());
        digest.update(json(&settings)?.to_string());
        let info = Info::new("toxicity", env!("CARGO_PKG_VERSION"), digest.finish());
        Ok(Self { info, prompts, scorer, settings })
    }

    fn units(&self, work: WorkDirectory, shared: Option<WorkDirectory>) -> Units {
        Units { prompts: self.prompts.clone(), settings: self.settings.clone(), work, shared }
    }

    fn provenance(&self, model: &Info) -> Result<Provenance> {
        let mut settings: BTreeMap<_, _> = match json(&self.settings)? {
            serde_json::Value::Object(settings) => settings.into_iter().collect(),
            _ => BTreeMap::new(),
        };
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

/// What continuations depend on.
pub(in crate::evaluation) fn continuations_key(
    prompts: &PromptSet,
    settings: &ToxicitySettings,
    model: &Info,
) -> Result<WorkKey> {
    Ok(WorkKey::from_iter([
        ("evaluator".to_owned(), json(&"toxicity")?),
        ("model".to_owned(), json(model)?),
        ("data".to_owned(), json(prompts.info())?),
        ("continuations".to_owned(), json(&settings.continuations)?),
        ("sampling".to_owned(), json(&settings.sampling)?),
        ("seed".to_owned(), json(&settings.seed)?),
        ("prompts_per_unit".to_owned(), json(&settings.prompts_per_unit)?),
    ]))
}

/// Where continuations of a key are kept for all judges.
pub(in crate::evaluation) fn shared_continuations(
    context: &EvaluationContext,
    key: WorkKey,
) -> Result<Option<WorkDirectory>> {
    let Some(shared) = &context.shared else { return Ok(None) };
    let digest = Digest::of(serde_json::Value::Object(key.clone()).to_string());
    WorkDirectory::open(&shared.join(format!("continuations-{}", digest.short())), key).map(Some)
}

#[async_trait]
impl Evaluator for ToxicityEvaluator {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation> {
        let model = subject.generator.info();
        let provenance = self.provenance(model)?;
        let mut key = continuations_key(&self.prompts, &self.settings, model)?;
        let shared = shared_continuations(context, key.clone())?;
        key.insert("scorer".to_owned(), json(self.scorer.info())?);
        let work = WorkDirectory::open(&context.directory, key)?;
        let units = self.units(work.clone(), shared);
        let judges = [(SCORES, &*self.scorer)];
        units.make_all(&*subject.generator, &judges, &context.observer).await?;
        let measurements =
            blocking(move || Ok(Measured::read(&units)?.measurements(&units.settings.bootstrap)))
                .await?;
        let evaluation = Evaluation { subject: subject.name.clone(), measurements, provenance };
        work.write_metrics(&evaluation)?;
        Ok(evaluation)
    }

    /// The differences of EMT, probability and mean for every slice.
    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes> {
        let [base, other] = [base, other].map(Path::to_path_buf);
        let evaluator = self.clone();
        blocking(move || {
            refuse_unless_comparable(&base, &other)?;
            let read =
                |root: &Path| Measured::read(&evaluator.units(WorkDirectory::existing(root), None));
            let measurements = read(&base)?.changes(&read(&other)?, &evaluator.settings.bootstrap);
            Ok(Changes { evaluator: evaluator.info, measurements })
        })
        .await
    }
}
