use std::sync::Arc;

use async_trait::async_trait;

use crate::causal_lm::{CausalLm, ContinuationLikelihood, Likelihood, TextLikelihood};
use crate::decoding::local::prompt_tokens;
use crate::worker::{Cancellation, Worker};
use crate::{Error, ErrorKind, Info, Result};

/// Between two looks at whether anybody still waits.
const WINDOWS_AT_ONCE: usize = 32;

/// Makes a [`Likelihood`] of any [`CausalLm`].
#[derive(Debug)]
pub struct LocalLikelihood {
    model: Arc<dyn CausalLm>,
    worker: Worker,
}

impl LocalLikelihood {
    /// A likelihood on a thread of its own.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(model: Arc<dyn CausalLm>) -> Result<Self> {
        Ok(Self { model, worker: Worker::spawn("detoxlm-likelihood")? })
    }
}

#[async_trait]
impl Likelihood for LocalLikelihood {
    fn info(&self) -> &Info {
        self.model.info()
    }

    async fn rolling(&self, texts: &[String]) -> Result<Vec<TextLikelihood>> {
        let (model, texts) = (Arc::clone(&self.model), texts.to_vec());
        self.worker.run(move |cancellation| rolling(&*model, &texts, cancellation)).await
    }

    async fn continuation(
        &self,
        pairs: &[(String, String)],
    ) -> Result<Vec<ContinuationLikelihood>> {
        let (model, pairs) = (Arc::clone(&self.model), pairs.to_vec());
        self.worker.run(move |cancellation| continuation(&*model, &pairs, cancellation)).await
    }
}

/// A stretch of tokens of which only those from `from` on are counted; the ones before are context.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    tokens: Vec<u32>,
    from: usize,
}

/// Cuts a text into windows of at most `context` tokens so that each token is predicted exactly
/// once: the first window begins with `bos`; each later one has as much context as fits, which is
/// one token before the first it predicts, or more for the last (`get_rolling_token_windows` of the
/// lm-evaluation-harness with a context of one).
fn rolling_windows(tokens: &[u32], bos: u32, context: usize) -> Vec<Window> {
    let stream: Vec<u32> = std::iter::once(bos).chain(tokens.iter().copied()).collect();
    // A window of n tokens predicts n - 1: the last one is predicted, never read from.
    let predicted_at_once = context - 1;
    let mut windows = Vec::new();
    let mut done = 0;
    while done < tokens.len() {
        let next = predicted_at_once.min(tokens.len() - done);
        let end = done + next + 1;
        let start = if windows.is_empty() { 0 } else { end.saturating_sub(context) };
        windows.push(Window { tokens: stream[start..end].to_vec(), from: done + 1 - start });
        done += next;
    }
    windows
}

fn rolling(
    model: &dyn CausalLm,
    texts: &[String],
    cancellation: &Cancellation,
) -> Result<Vec<TextLikelihood>> {
    let tokenizer = model.tokenizer();
    let context = context_of(model)?;
    let mut windows = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let tokens = tokenizer.encode(text)?;
        windows.extend(
            rolling_windows(&tokens, tokenizer.bos(), context).into_iter().map(|w| (index, w)),
        );
    }
    let mut answers = vec![TextLikelihood::default(); texts.len()];
    for windows in windows.chunks(WINDOWS_AT_ONCE) {
        cancellation.check()?;
        let sequences: Vec<&[u32]> = windows.iter().map(|(_, window)| &*window.tokens).collect();
        for ((index, window), tokens) in windows.iter().zip(model.token_likelihoods(&sequences)?) {
            // Entry i is about token i + 1.
            for token in &tokens[window.from - 1..] {
                answers[*index].log_prob += f64::from(token.log_prob);
                answers[*index].tokens += 1;
            }
        }
    }
    Ok(answers)
}

fn continuation(
    model: &dyn CausalLm,
    pairs: &[(String, String)],
    cancellation: &Cancellation,
) -> Result<Vec<ContinuationLikelihood>> {
    cancellation.check()?;
    let context = context_of(model)?;
    let mut sequences = Vec::with_capacity(pairs.len());
    let mut from = Vec::with_capacity(pairs.len());
    for (before, after) in pairs {
        let (mut tokens, mut after) = split(model, before, after)?;
        let excess = (tokens.len() + after.len()).saturating_sub(context);
        if excess >= tokens.len() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "decoding",
                "rate a continuation",
                format!("its {} tokens fill the context of {context}", after.len()),
            )
            .with_remedy("rate it as a whole text instead"));
        }
        tokens.drain(..excess);
        from.push(tokens.len());
        tokens.append(&mut after);
        sequences.push(tokens);
    }
    let sequences: Vec<&[u32]> = sequences.iter().map(|tokens| &**tokens).collect();
    let likelihoods = model.token_likelihoods(&sequences)?;
    Ok(likelihoods
        .iter()
        .zip(from)
        .map(|(tokens, from)| {
            let predicted = &tokens[from - 1..];
            ContinuationLikelihood {
                log_prob: predicted.iter().map(|token| f64::from(token.log_prob)).sum(),
                tokens: predicted.len(),
                is_greedy: predicted.iter().all(|token| token.is_greedy),
            }
        })
        .collect())
}

/// The tokens of context and continuation. Where they meet, both are encoded together, so that the
/// continuation's tokens are those it has in running text.
fn split(model: &dyn CausalLm, before: &str, after: &str) -> Result<(Vec<u32>, Vec<u32>)> {
    let alone = prompt_tokens(model, before)?;
    if before.is_empty() {
        return Ok((alone, model.tokenizer().encode(after)?));
    }
    let mut together = prompt_tokens(model, &format!("{before}{after}"))?;
    let continuation = together.split_off(alone.len().min(together.len()));
    Ok((together, continuation))
}

fn context_of(model: &dyn CausalLm) -> Result<usize> {
    let context = model.capabilities().context_length;
    if context < 2 {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "decoding",
            "rate a text",
            format!("a context of {context} has no room for a token and what precedes it"),
        ));
    }
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_predicted_exactly_once() {
        for n in 0..40_u32 {
            let tokens: Vec<u32> = (1..=n).collect();
            for context in 2..12 {
                let windows = rolling_windows(&tokens, 0, context);
                let predicted: Vec<u32> =
                    windows.iter().flat_map(|w| w.tokens[w.from..].to_vec()).collect();
                assert_eq!(predicted, tokens, "{n} {context}");
                for window in &windows {
                    assert!(window.tokens.len() <= context);
                    assert!(window.from >= 1);
                }
            }
        }
    }

    #[test]
    fn the_last_window_reaches_back_as_far_as_it_can() {
        let windows = rolling_windows(&[1, 2, 3, 4, 5, 6, 7], 0, 4);
        let expected = [
            Window { tokens: vec![0, 1, 2, 3], from: 1 },
            Window { tokens: vec![3, 4, 5, 6], from: 1 },
            Window { tokens: vec![4, 5, 6, 7], from: 3 },
        ];
        assert_eq!(windows, expected);
    }
}
