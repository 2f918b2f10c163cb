use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Likelihoods;
use crate::calls::expect_answers;
use crate::causal_lm::{Likelihood, TextLikelihood};
use crate::evaluation::work::{self, Units, WorkDirectory, WorkKey, json, stated};
use crate::evaluation::{
    Bootstrap, COMPONENT, Changes, Evaluation, EvaluationContext, Evaluator, Provenance, TextSet,
};
use crate::info::DigestBuilder;
use crate::{Error, ErrorKind, Event, Info, Observer, Result, Stage, Subject};

const LIKELIHOODS: &str = "likelihoods";

/// How perplexity is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerplexitySettings {
    /// How many documents make a unit, the grain of resume: an interrupted unit is made again.
    pub documents_per_unit: usize,
    /// How intervals are made.
    pub bootstrap: Bootstrap,
}

impl Default for PerplexitySettings {
    fn default() -> Self {
        Self { documents_per_unit: 32, bootstrap: Bootstrap::default() }
    }
}

impl PerplexitySettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        if self.documents_per_unit == 0 {
            let message = "must be at least 1";
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "set up perplexity",
                message,
            )
            .with_key("documents_per_unit"));
        }
        self.bootstrap.validate()
    }
}

/// Rates held-out documents by a model's probabilities, each with as much context as the model takes
/// (`loglikelihood_rolling` of the lm-evaluation-harness).
///
/// The context's directory holds `provenance.json`, `likelihoods/part-NNNNN.jsonl` and
/// `metrics.json`.
#[derive(Clone, Debug)]
pub struct PerplexityEvaluator {
    info: Info,
    texts: TextSet,
    settings: PerplexitySettings,
}

/// A row of a part.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::evaluation) struct Rated {
    /// The document's number, from 0.
    id: u64,
    /// Sum of its tokens' natural log-probabilities.
    pub(in crate::evaluation) log_prob: f64,
    pub(in crate::evaluation) tokens: usize,
}

impl PerplexityEvaluator {
    /// Measures on `texts`.
    ///
    /// # Errors
    /// When a setting is impossible.
    pub fn new(texts: TextSet, settings: PerplexitySettings) -> Result<Self> {
        settings.validate()?;
        let mut digest = DigestBuilder::new();
        digest.update(texts.info().digest.as_str()).update(json(&settings)?.to_string());
        let info = Info::new("perplexity", env!("CARGO_PKG_VERSION"), digest.finish());
        Ok(Self { info, texts, settings })
    }

    pub(in crate::evaluation) fn units(&self) -> Units {
        Units { items: self.texts.texts().len(), size: self.settings.documents_per_unit }
    }

    pub(in crate::evaluation) async fn rate_all(
        &self,
        likelihood: &dyn Likelihood,
        work: &WorkDirectory,
        observer: &Arc<dyn Observer>,
    ) -> Result<()> {
        let stage = Stage::Evaluate;
        let (missing, done) = work.missing(&[LIKELIHOODS], self.units());
        let total = Some(self.texts.texts().len() as u64);
        observer.observe(&Event::StageStarted { stage, total, done, unit: "documents" });
        for unit in missing {
            let rows = self.rate(unit, likelihood).await?;
            work.write(LIKELIHOODS, unit, &rows)?;
            observer.observe(&Event::StageAdvanced { stage, count: rows.len() as u64 });
        }
        observer.observe(&Event::StageFinished { stage });
        Ok(())
    }

    async fn rate(&self, unit: usize, likelihood: &dyn Likelihood) -> Result<Vec<Rated>> {
        let range = self.units().range(unit);
        let answers = likelihood.rolling(&self.texts.texts()[range.clone()]).await?;
        expect_answers(likelihood.info(), range.len(), answers.len())?;
        if let Some(number) = answers.iter().position(|answer| !answer.log_prob.is_finite()) {
            let id = range.start + number;
            let message =
                format!("the likelihood of document {id} is {}", answers[number].log_prob);
            return Err(Error::new(ErrorKind::Incompatible, COMPONENT, "rate documents", message)
                .with_remedy("the model's weights may hold values that are not finite"));
        }
        Ok((range.start as u64..)
            .zip(answers)
            .map(|(id, answer)| Rated { id, log_prob: answer.log_prob, tokens: answer.tokens })
            .collect())
    }

    fn read(&self, work: &WorkDirectory) -> Result<Likelihoods> {
        let mut likelihoods = Likelihoods::new();
        for unit in 0..self.units().count() {
            let rows = self.rated(work, unit)?;
            for (text, row) in self.texts.texts()[self.units().range(unit)].iter().zip(rows) {
                let (log_prob, tokens) = (row.log_prob, row.tokens);
                likelihoods.push(text, TextLikelihood { log_prob, tokens });
            }
        }
        Ok(likelihoods)
    }

    /// A unit's likelihoods, from disk.
    pub(in crate::evaluation) fn rated(
        &self,
        work: &WorkDirectory,
        unit: usize,
    ) -> Result<Vec<Rated>> {
        let range = self.units().range(unit);
        work.read(LIKELIHOODS, unit, range.len(), |number, row: &Rated| {
            row.id == (range.start + number) as u64
        })
    }

    fn work_key(&self, model: &Info) -> Result<WorkKey> {
        Ok(WorkKey::from_iter([
            ("evaluator".to_owned(), json(&"perplexity")?),
            ("model".to_owned(), json(model)?),
            ("data".to_owned(), json(self.texts.info())?),
            ("documents_per_unit".to_owned(), json(&self.settings.documents_per_unit)?),
        ]))
    }

    fn provenance(&self, model: &Info) -> Result<Provenance> {
        Ok(Provenance {
            evaluator: self.info.clone(),
            model: model.clone(),
            scorer: None,
            data: self.texts.info().clone(),
            settings: stated(&self.settings)?,
        })
    }
}

#[async_trait]
impl Evaluator for PerplexityEvaluator {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation> {
        let likelihood = subject.likelihood_to("measure perplexity")?;
        let provenance = self.provenance(likelihood.info())?;
        let work = WorkDirectory::open(&context.directory, self.work_key(likelihood.info())?)?;
        self.rate_all(likelihood, &work, &context.observer).await?;
        let (evaluator, parts) = (self.clone(), work.clone());
        let measure =
            move || Ok(evaluator.read(&parts)?.measurements(&evaluator.settings.bootstrap));
        work.conclude(subject, provenance, measure).await
    }

    /// The differences of all four, paired over documents.
    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes> {
        let evaluator = self.clone();
        work::changes(self.info.clone(), base, other, move |base, other| {
            let bootstrap = &evaluator.settings.bootstrap;
            Ok(evaluator.read(&base)?.changes(&evaluator.read(&other)?, bootstrap))
        })
        .await
    }
}
