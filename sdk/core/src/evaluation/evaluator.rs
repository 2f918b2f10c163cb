use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::COMPONENT;
use crate::causal_lm::Likelihood;
use crate::{Error, ErrorKind, Generator, Info, Observer, Result};

/// A model under evaluation: what writes, and what tells how likely a text is.
#[derive(Clone, Debug)]
pub struct Subject {
    /// A name for tables, such as `base` or `detoxified`.
    pub name: String,
    /// Continues prompts.
    pub generator: Arc<dyn Generator>,
    /// Rates texts; `None` for a server that gives no log-probabilities.
    pub likelihood: Option<Arc<dyn Likelihood>>,
}

impl Subject {
    /// What rates texts, for whoever cannot do without it.
    ///
    /// # Errors
    /// When the subject gives no log-probabilities ([`ErrorKind::Unsupported`]).
    pub(crate) fn likelihood_to(&self, operation: &'static str) -> Result<&dyn Likelihood> {
        self.likelihood.as_deref().ok_or_else(|| {
            let message = format!("`{}` gives no log-probabilities", self.name);
            Error::new(ErrorKind::Unsupported, COMPONENT, operation, message)
                .with_remedy("load the model locally, or choose a server that gives them")
        })
    }
}

/// Where an evaluator works and whom it tells.
#[derive(Clone, Debug)]
pub struct EvaluationContext {
    /// A directory of this evaluation alone, for generations and scores. What is there and complete
    /// is used, not made again.
    pub directory: PathBuf,
    /// A directory that evaluations of many subjects and settings may share, for what more than one of
    /// them needs: what a model wrote for one judge, it need not write again for another. `None` shares
    /// nothing.
    pub shared: Option<PathBuf>,
    /// Hears about progress.
    pub observer: Arc<dyn Observer>,
}

/// An interval around a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The share of resamples within, such as 0.95.
    pub level: f64,
}

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Measurement {
    /// What was measured, such as `expected_maximum_toxicity`.
    pub name: String,
    /// On which part of the data, such as `toxic`; `all` when on everything.
    pub slice: String,
    /// The value; `None` when nothing was there to measure. Missing is never 0.
    pub value: Option<f64>,
    /// The bootstrap interval, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// The standard error, where the field reports one beside the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// Of a change, or of a gap between groups: how probable one at least as large is when there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// How many items the value is a mean of (prompts, tokens, documents).
    pub n: u64,
    /// What was counted by `n`.
    pub unit: String,
}

impl Measurement {
    /// A value of `n` units, without interval, standard error and p-value.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        slice: impl Into<String>,
        value: Option<f64>,
        n: u64,
        unit: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            slice: slice.into(),
            value,
            interval: None,
            standard_error: None,
            p_value: None,
            n,
            unit: unit.into(),
        }
    }

    /// With an interval, if there is one.
    #[must_use]
    pub fn with_interval(mut self, interval: impl Into<Option<Interval>>) -> Self {
        self.interval = interval.into();
        self
    }

    /// With a standard error, if there is one.
    #[must_use]
    pub fn with_standard_error(mut self, standard_error: impl Into<Option<f64>>) -> Self {
        self.standard_error = standard_error.into();
        self
    }

    /// With a p-value, if there is one.
    #[must_use]
    pub fn with_p_value(mut self, p_value: impl Into<Option<f64>>) -> Self {
        self.p_value = p_value.into();
        self
    }
}

/// What numbers are made of: everything without which they cannot be compared with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The evaluator.
    pub evaluator: Info,
    /// The model.
    pub model: Info,
    /// The judge, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<Info>,
    /// The digest of the prompts or texts.
    pub data: Info,
    /// All settings: sampling, seed, threshold, policy for missing scores.
    pub settings: BTreeMap<String, serde_json::Value>,
}

impl Provenance {
    /// The name of the zero-shot task that was measured, if one was.
    pub(crate) fn task(&self) -> Option<&str> {
        self.settings.get("task")?.get("name")?.as_str()
    }
}

/// The result of one evaluator on one subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The subject's name.
    pub subject: String,
    /// The numbers.
    pub measurements: Vec<Measurement>,
    /// What they are made of; it holds for every one of them.
    pub provenance: Provenance,
}

impl Evaluation {
    /// The measurement of this name and slice.
    #[must_use]
    pub fn get(&self, name: &str, slice: &str) -> Option<&Measurement> {
        find(&self.measurements, name, slice)
    }
}

fn find<'a>(measurements: &'a [Measurement], name: &str, slice: &str) -> Option<&'a Measurement> {
    measurements.iter().find(|m| m.name == name && m.slice == slice)
}

/// How the numbers of one evaluator differ between two models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// The evaluator.
    pub evaluator: Info,
    /// The differences, second model minus first, under the names and slices of what they are
    /// differences of.
    pub measurements: Vec<Measurement>,
}

impl Changes {
    /// The difference of this name and slice.
    #[must_use]
    pub fn get(&self, name: &str, slice: &str) -> Option<&Measurement> {
        find(&self.measurements, name, slice)
    }
}

/// Measures a model.
///
/// # Contract
/// - The same subject, data and settings give the same measurements.
/// - Every number's provenance is complete: another evaluation with an equal provenance may be
///   compared with it, and one with another may not.
/// - What cannot be measured is a measurement without a value, never a 0.
/// - Work done is kept in the context's directory, so that an interrupted evaluation goes on.
/// - A subject that lacks what is needed (likelihood) is [`ErrorKind::Unsupported`](crate::ErrorKind).
/// - Changes are differences of numbers that evaluations have, item by item where they are means over
///   items: from a directory to itself they are 0.
/// - Evaluations that differ in more than the model are not compared: they are
///   [`ErrorKind::Incompatible`](crate::ErrorKind).
#[async_trait]
pub trait Evaluator: Debug + Send + Sync + 'static {
    /// Who this evaluator is; the digest covers data and settings.
    fn info(&self) -> &Info;

    /// Measures `subject`.
    async fn evaluate(&self, subject: &Subject, context: &EvaluationContext) -> Result<Evaluation>;

    /// What changed from the evaluation in the directory `base` to that in `other`, with paired
    /// bootstrap intervals: what both models were measured on is drawn together.
    async fn changes(&self, base: &Path, other: &Path) -> Result<Changes>;
}
