use std::fmt::Debug;

use async_trait::async_trait;

use crate::{Attribute, Info, Result, Verdict};

/// A text to score, with the prompt it continues (empty when there is none).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sample {
    /// What the model was given. Context only: the verdict is about `text`.
    pub prompt: String,
    /// The text to score.
    pub text: String,
}

impl Sample {
    /// A text without a prompt.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { prompt: String::new(), text: text.into() }
    }

    /// Whether there is nothing but white space to score.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The same text as the continuation of `prompt`.
    #[must_use]
    pub fn with_prompt(mut self, prompt: impl Into<String>) -> Self {
        self.prompt = prompt.into();
        self
    }
}

/// What a scorer can do, and how it likes to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScorerCapabilities {
    /// The attributes that a scored text has, in the scorer's order.
    pub attributes: Vec<Attribute>,
    /// The number of texts per call that serves it best. A hint: any number works.
    pub batch: usize,
    /// How many calls at once serve it best. A hint: any number works.
    pub concurrency: usize,
}

impl ScorerCapabilities {
    /// A scorer of these attributes that takes 256 texts in one call at a time.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = Attribute>) -> Self {
        Self { attributes: attributes.into_iter().collect(), batch: 256, concurrency: 1 }
    }

    /// Sets the preferred number of texts per call.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets the preferred number of calls at once.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }
}

/// Gives texts attribute values.
///
/// # Contract
/// - `score` answers as many verdicts as there are samples, in their order; an empty slice gives an
///   empty answer.
/// - A verdict depends on its sample alone, never on its neighbours or on earlier calls.
/// - A text that cannot be scored is [`Verdict::Unscored`] with a reason, never a value; text of
///   nothing but white space is [`Unscored::Blank`](crate::Unscored::Blank). An `Err` fails the whole
///   call and scores nothing.
/// - A scored text has every attribute that `capabilities` lists, unless a missing one is the point
///   (an ensemble of scorers that differ).
/// - `info().digest` changes whenever a verdict could.
/// - Heavy computation runs on threads that the implementation owns, not on the async workers;
///   dropping the future abandons the call.
#[async_trait]
pub trait ToxicityScorer: Debug + Send + Sync + 'static {
    /// Who this scorer is.
    fn info(&self) -> &Info;

    /// What it can do.
    fn capabilities(&self) -> &ScorerCapabilities;

    /// Scores texts.
    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>>;
}
