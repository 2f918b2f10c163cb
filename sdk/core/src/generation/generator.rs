use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Info, Result, Sampling};

/// A prompt and how often to continue it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationRequest {
    /// Names the request among all of a seed: the random draws of a continuation depend on
    /// (`seed`, `id`, its number among `samples`) and on nothing else.
    pub id: u64,
    /// What the model is given. Empty means unconditional: the model sees only its
    /// beginning-of-sequence token.
    pub prompt: String,
    /// How many continuations to draw.
    pub samples: usize,
    /// How to draw them.
    pub sampling: Sampling,
    /// The seed of a whole run.
    pub seed: u64,
}

/// Why a continuation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// The model wrote its end-of-sequence token (which is not part of the text).
    Stop,
    /// `max_new_tokens` were written.
    Length,
    /// The model's context was full before that.
    Context,
}

/// One continuation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// The continuation alone, without the prompt and without special tokens.
    pub text: String,
    /// Why it ended.
    pub finish: FinishReason,
    /// How many tokens the model wrote, the end-of-sequence token not counted.
    pub tokens: usize,
}

/// What a generator can do, and how it likes to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratorCapabilities {
    /// The most tokens of prompt and continuation together, if known.
    pub context_length: Option<usize>,
    /// How many continuations per call serve it best. A hint: any number works.
    pub batch: usize,
    /// How many calls at once serve it best. A hint: any number works.
    pub concurrency: usize,
    /// Whether a continuation's text is the same in every batch and on every number of threads.
    pub batch_invariant: bool,
}

impl GeneratorCapabilities {
    /// An unknown context, 64 continuations in one call at a time, not batch-invariant.
    #[must_use]
    pub const fn new() -> Self {
        Self { context_length: None, batch: 64, concurrency: 1, batch_invariant: false }
    }

    /// Sets the context length in tokens.
    #[must_use]
    pub const fn with_context_length(mut self, tokens: usize) -> Self {
        self.context_length = Some(tokens);
        self
    }

    /// Sets the preferred number of continuations per call.
    #[must_use]
    pub const fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets the preferred number of calls at once.
    #[must_use]
    pub const fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Promises that text does not depend on the batch or on the number of threads.
    #[must_use]
    pub const fn with_batch_invariance(mut self, batch_invariant: bool) -> Self {
        self.batch_invariant = batch_invariant;
        self
    }
}

impl Default for GeneratorCapabilities {
    fn default() -> Self {
        Self::new()
    }
}

/// Continues prompts.
///
/// # Contract
/// - `generate` answers one list per request, in order, each with `samples` continuations; an empty
///   slice gives an empty answer.
/// - The same call gives the same answer: draws depend on (`seed`, `id`, number of the sample).
///   Between calls of different shape a model's floating-point sums may differ in the last bit and
///   a text with them, unless `capabilities().batch_invariant`.
/// - At most `max_new_tokens` are added to each sequence, whatever else is in the batch.
/// - The text has no special tokens and does not repeat the prompt.
/// - A prompt that leaves no room in the context is an error that names the request.
/// - Computation runs on threads that the implementation owns; dropping the future cancels the work.
#[async_trait]
pub trait Generator: Debug + Send + Sync + 'static {
    /// Who this generator is; the digest covers weights and tokenizer.
    fn info(&self) -> &Info;

    /// What it can do.
    fn capabilities(&self) -> &GeneratorCapabilities;

    /// Continues every prompt `samples` times.
    async fn generate(&self, requests: &[GenerationRequest]) -> Result<Vec<Vec<Generation>>>;
}
