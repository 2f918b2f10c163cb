use std::sync::Arc;

use async_trait::async_trait;

use crate::causal_lm::{
    CausalLm, ContinuationLikelihood, Likelihood, TextLikelihood, TokenSequence,
};
use crate::decoding::local::prompt_tokens;
use crate::worker::{Cancellation, Worker};
use crate::{Error, ErrorKind, Info, Result};

/// Between two looks at whether anybody still waits.
const SEQUENCES_AT_ONCE: usize = 64;

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

impl Window {
    fn sequence(&self) -> TokenSequence<'_> {
        TokenSequence { tokens: &self.tokens, from: self.from }
    }
}

/// Cuts a text into windows of which at most `context` tokens are read, so that each token is predicted
/// exactly once: the first window begins with `bos`; each later one has as much context as fits, which
/// is one token before the first it predicts, or more for the last (`get_rolling_token_windows` of the
/// lm-evaluation-harness with a context of one). A window's last token is predicted, never read.
fn rolling_windows(tokens: &[u32], bos: u32, context: usize) -> Vec<Window> {
    let stream: Vec<u32> = std::iter::once(bos).chain(tokens.iter().copied()).collect();
    let mut windows = Vec::new();
    let mut done = 0;
    while done < tokens.len() {
        let next = context.min(tokens.len() - done);
        let end = done + next + 1;
        let start = if windows.is_empty() { 0 } else { end.saturating_sub(context + 1) };
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
    for windows in windows.chunks(SEQUENCES_AT_ONCE) {
        cancellation.check()?;
        let sequences: Vec<_> = windows.iter().map(|(_, window)| window.sequence()).collect();
        for ((index, _), tokens) in windows.iter().zip(model.token_likelihoods(&sequences)?) {
            for token in &tokens {
                answers[*index].log_prob += f64::from(token.log_prob);
                answers[*index].tokens += 1;
            }
        }
    }
    Ok(answers)
}

/// A continuation after as much of its context as the model reads.
#[derive(Debug)]
struct Question {
    /// Where the caller has it.
    index: usize,
    window: Window,
    /// How many of the context's tokens were cut off.
    cut: usize,
}

impl Question {
    fn new(
        model: &dyn CausalLm,
        context: usize,
        index: usize,
        (before, after): &(String, String),
    ) -> Result<Self> {
        let (mut tokens, mut after) = split(model, before, after)?;
        if after.len() > context {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "decoding",
                "rate a continuation",
                format!("its {} tokens exceed the context of {context}", after.len()),
            )
            .with_remedy("rate it as a whole text instead"));
        }
        // The last token is not read.
        let cut = (tokens.len() + after.len()).saturating_sub(context + 1);
        tokens.drain(..cut);
        let from = tokens.len();
        tokens.append(&mut after);
        Ok(Self { index, window: Window { tokens, from }, cut })
    }
}

fn continuation(
    model: &dyn CausalLm,
    pairs: &[(String, String)],
    cancellation: &Cancellation,
) -> Result<Vec<ContinuationLikelihood>> {
    let context = context_of(model)?;
    let questions = pairs.iter().enumerate();
    let questions = questions.map(|(index, pair)| Question::new(model, context, index, pair));
    let questions = by_length(pairs, questions.collect::<Result<_>>()?);
    let mut answers: Vec<Option<ContinuationLikelihood>> = vec![None; pairs.len()];
    for questions in questions.chunks(SEQUENCES_AT_ONCE) {
        cancellation.check()?;
        let sequences: Vec<_> =
            questions.iter().map(|question| question.window.sequence()).collect();
        for (question, tokens) in questions.iter().zip(model.token_likelihoods(&sequences)?) {
            answers[question.index] = Some(ContinuationLikelihood {
                log_prob: tokens.iter().map(|token| f64::from(token.log_prob)).sum(),
                tokens: tokens.len(),
                is_greedy: tokens.iter().all(|token| token.is_greedy),
                cut: question.cut,
            });
        }
    }
    Ok(answers.into_iter().flatten().collect())
}

/// The longest first, so that those of a call are of about one length; neighbours with the same context
/// stay neighbours, for the model to read it once.
fn by_length(pairs: &[(String, String)], questions: Vec<Question>) -> Vec<Question> {
    let mut runs: Vec<Vec<Question>> = Vec::new();
    for question in questions {
        match runs.last_mut() {
            Some(run) if pairs[run[0].index].0 == pairs[question.index].0 => run.push(question),
            _ => runs.push(vec![question]),
        }
    }
    let longest = |run: &Vec<Question>| run.iter().map(|q| q.window.tokens.len()).max();
    runs.sort_by_key(|run| std::cmp::Reverse(longest(run)));
    runs.into_iter().flatten().collect()
}

/// The tokens of context and continuation. Where they meet, both are encoded together, so that the
/// continuation's tokens are those it has in running text.
fn split(model: &dyn CausalLm, before: &str, after: &str) -> Result<(Vec<u32>, Vec<u32>)> {
    let alone = prompt_tokens(model, before)?;
    if before.is_empty() || alone.is_empty() {
        return Ok((prompt_tokens(model, "")?, model.tokenizer().encode(after)?));
    }
    let mut together = prompt_tokens(model, &format!("{before}{after}"))?;
    let continuation = together.split_off(alone.len().min(together.len()));
    Ok((together, continuation))
}

fn context_of(model: &dyn CausalLm) -> Result<usize> {
    let context = model.capabilities().context_length;
    if context == 0 {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "decoding",
            "rate a text",
            "a context of 0 has no room for what precedes a token",
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
            for context in 1..12 {
                let windows = rolling_windows(&tokens, 0, context);
                let predicted: Vec<u32> =
                    windows.iter().flat_map(|w| w.tokens[w.from..].to_vec()).collect();
                assert_eq!(predicted, tokens, "{n} {context}");
                for window in &windows {
                    assert!(window.tokens.len() <= context + 1);
                    assert!(window.from >= 1);
                }
            }
        }
    }

    #[test]
    fn the_last_window_reaches_back_as_far_as_it_can() {
        let windows = rolling_windows(&[1, 2, 3, 4, 5, 6, 7], 0, 3);
        let expected = [
            Window { tokens: vec![0, 1, 2, 3], from: 1 },
            Window { tokens: vec![3, 4, 5, 6], from: 1 },
            Window { tokens: vec![4, 5, 6, 7], from: 3 },
        ];
        assert_eq!(windows, expected);
    }

    fn asked(before: &str, tokens: usize, index: usize) -> ((String, String), Question) {
        let window = Window { tokens: vec![0; tokens], from: 1 };
        ((before.to_owned(), String::new()), Question { index, window, cut: 0 })
    }

    #[test]
    fn questions_of_one_context_stay_together() {
        let sizes = [("a", 2), ("a", 9), ("b", 5), ("c", 7), ("c", 1), ("a", 3)];
        let asked = sizes.iter().enumerate().map(|(i, &(before, size))| asked(before, size, i));
        let (pairs, questions): (Vec<_>, Vec<_>) = asked.unzip();
        let order: Vec<_> = by_length(&pairs, questions).iter().map(|q| q.index).collect();
        assert_eq!(order, [0, 1, 3, 4, 2, 5]);
    }
}
