use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Info, Result};

/// How likely one token was, given what came before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLikelihood {
    /// Natural logarithm of the probability.
    pub log_prob: f32,
    /// Whether no other token was more probable (of equals, the lowest id counts).
    pub is_greedy: bool,
}

/// How likely a whole text was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextLikelihood {
    /// Sum of the tokens' natural log-probabilities.
    pub log_prob: f64,
    /// How many tokens were predicted.
    pub tokens: usize,
}

/// How likely a continuation was, given a context.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContinuationLikelihood {
    /// Sum of the tokens' natural log-probabilities.
    pub log_prob: f64,
    /// How many tokens were predicted.
    pub tokens: usize,
    /// Whether greedy decoding would have written exactly this continuation.
    pub is_greedy: bool,
    /// How many tokens were cut off the beginning of the context, for the rest to fit the model.
    #[serde(default)]
    pub cut: usize,
}

/// Rates text by a language model's probabilities, locally or over a server.
///
/// # Contract
/// - Answers are in the order of the questions, one each.
/// - `rolling` predicts every token of a text exactly once, with as much context as the model takes;
///   the first is conditioned on the beginning-of-sequence token. Texts do not see each other. This
///   is `loglikelihood_rolling` of the lm-evaluation-harness.
/// - `continuation` predicts the tokens of the continuation only; a context too long is cut at its
///   beginning, and the answer says by how much. The continuation's last token is predicted and never
///   read: the model reads as many tokens as its context holds. Questions with the same context may
///   have it computed once when they are neighbours.
/// - Computation runs on threads that the implementation owns.
#[async_trait]
pub trait Likelihood: Debug + Send + Sync + 'static {
    /// Whose probabilities these are.
    fn info(&self) -> &Info;

    /// Rates whole texts.
    async fn rolling(&self, texts: &[String]) -> Result<Vec<TextLikelihood>>;

    /// Rates continuations, as (context, continuation).
    async fn continuation(&self, pairs: &[(String, String)])
    -> Result<Vec<ContinuationLikelihood>>;
}
