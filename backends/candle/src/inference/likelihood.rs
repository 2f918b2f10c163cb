//! How likely the tokens of given sequences are.

use candle_core::Result as CandleResult;
use candle_fused_ops::infer::{KvCache, log_softmax_pick};
use detoxlm_core::causal_lm::TokenLikelihood;
use detoxlm_core::{ErrorKind, Result};
use rayon::prelude::*;

use super::engine::{Engine, Piece};
use super::scratch::{Scratch, room};
use super::session::foreign_token;
use crate::architecture::Architecture;
use crate::error::{error, internal};

const OPERATION: &str = "rate tokens";

/// Tokens whose keys and values are kept at a time, counting each sequence as long as the longest.
const GROUP_TOKENS: usize = 8192;

/// Logits held at a time: 8 MiB stay in the last-level cache until they are summed.
const CHUNK_LOGITS: usize = 1 << 21;

impl Engine {
    /// For each sequence, the likelihood of every token after the first, on the current pool.
    pub(crate) fn token_likelihoods(
        &self,
        sequences: &[&[u32]],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        let context = self.context_length();
        for (index, sequence) in sequences.iter().enumerate() {
            if sequence.len() > context {
                return Err(error(
                    ErrorKind::InvalidInput,
                    OPERATION,
                    format!(
                        "sequence {index} has {} tokens, more than the context of {context}",
                        sequence.len()
                    ),
                )
                .with_remedy("cut it into windows"));
            }
            if let Some(token) = self.foreign(sequence) {
                return Err(foreign_token(self, token));
            }
        }
        let mut rater = Rater {
            engine: self,
            caches: Vec::new(),
            scratch: Scratch::default(),
            normed: Vec::new(),
            logits: Vec::new(),
        };
        let mut answers = Vec::with_capacity(sequences.len());
        let mut rest = sequences;
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_size(rest));
            answers.extend(rater.rate(group).map_err(internal(OPERATION))?);
            rest = later;
        }
        Ok(answers)
    }
}

/// How many of the sequences to work on together; at least one.
fn group_size(sequences: &[&[u32]]) -> usize {
    let mut longest = 0;
    let fitting = sequences.iter().enumerate().take_while(|(index, sequence)| {
        longest = longest.max(sequence.len());
        (index + 1) * longest <= GROUP_TOKENS
    });
    fitting.count().max(1)
}

/// What is reused from group to group.
struct Rater<'a> {
    engine: &'a Engine,
    caches: Vec<KvCache>,
    scratch: Scratch,
    normed: Vec<f32>,
    logits: Vec<f32>,
}

impl Rater<'_> {
    fn rate(&mut self, group: &[&[u32]]) -> CandleResult<Vec<Vec<TokenLikelihood>>> {
        let Self { engine, caches, scratch, normed, logits } = self;
        let longest = group.iter().map(|sequence| sequence.len()).max().unwrap_or(0);
        let needed = engine.first_position() + longest;
        let fits = |cache: &KvCache| cache.slots() >= group.len() && cache.capacity() >= needed;
        if !caches.first().is_some_and(fits) {
            *caches = engine.caches(group.len(), longest);
            for slot in 0..group.len() {
                engine.begin(caches, slot)?;
            }
        }
        let first = engine.first_position();
        // The last token of a sequence predicts nothing that is asked for.
        let pieces = group.iter().enumerate().map(|(index, sequence)| Piece {
            slot: index,
            start: first,
            tokens: &sequence[..sequence.len().saturating_sub(1)],
            owner: index,
            is_last: true,
        });
        let mut answers: Vec<_> =
            group.iter().map(|sequence| Vec::with_capacity(sequence.len())).collect();
        let &Architecture { width, vocabulary, .. } = engine.architecture();
        let chunk = (CHUNK_LOGITS / vocabulary).clamp(16, 1024);
        engine.run(pieces, caches, scratch, |pass, hidden| {
            let targets: Vec<_> = pass
                .iter()
                .flat_map(|piece| {
                    let next = &group[piece.owner][piece.start - first + 1..][..piece.tokens.len()];
                    next.iter().map(move |&target| (piece.owner, target as usize))
                })
                .collect();
            for (hidden, targets) in hidden.chunks(chunk * width).zip(targets.chunks(chunk)) {
                let logits = room(logits, targets.len() * vocabulary);
                engine.logits(hidden, targets.len(), normed, logits)?;
                let rated: Vec<_> = logits
                    .par_chunks_exact(vocabulary)
                    .zip(targets)
                    .map(|(logits, &(_, target))| log_softmax_pick(logits, target))
                    .collect::<CandleResult<_>>()?;
                for ((log_prob, is_greedy), &(owner, _)) in rated.into_iter().zip(targets) {
                    answers[owner].push(TokenLikelihood { log_prob, is_greedy });
                }
            }
            Ok(())
        })?;
        Ok(answers)
    }
}
