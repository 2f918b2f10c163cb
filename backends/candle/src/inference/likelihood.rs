//! How likely the tokens of given sequences are.

use std::ops::Range;

use candle_core::Result as CandleResult;
use candle_fused_ops::infer::{KvCache, log_softmax_pick};
use detoxlm_core::causal_lm::{TokenLikelihood, TokenSequence};
use detoxlm_core::{ErrorKind, Result};
use detoxlm_transformer::beginnings::{group_size, neighbours, read};
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
    /// For each sequence, the likelihoods of its tokens from `from` on, on the current pool.
    pub(crate) fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        let context = self.context_length();
        for (index, sequence) in sequences.iter().enumerate() {
            // The last token is predicted and not read.
            let length = sequence.tokens.len().saturating_sub(1);
            if length > context {
                return Err(error(
                    ErrorKind::InvalidInput,
                    OPERATION,
                    format!(
                        "sequence {index} has {length} tokens before its last, more than the context \
                         of {context}"
                    ),
                )
                .with_remedy("cut it into windows"));
            }
            if let Some(token) = self.foreign(sequence.tokens) {
                return Err(foreign_token(self, token));
            }
        }
        let mut rater = Rater {
            engine: self,
            caches: Vec::new(),
            scratch: Scratch::default(),
            hidden: Vec::new(),
            normed: Vec::new(),
            logits: Vec::new(),
        };
        let mut answers = Vec::with_capacity(sequences.len());
        let mut rest = sequences;
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_size(rest, GROUP_TOKENS));
            answers.extend(rater.rate(group).map_err(internal(OPERATION))?);
            rest = later;
        }
        Ok(answers)
    }
}

/// What is reused from group to group.
struct Rater<'a> {
    engine: &'a Engine,
    caches: Vec<KvCache>,
    scratch: Scratch,
    /// Hidden states of the tokens whose successors are rated.
    hidden: Vec<f32>,
    normed: Vec<f32>,
    logits: Vec<f32>,
}

impl Rater<'_> {
    fn rate(&mut self, group: &[TokenSequence<'_>]) -> CandleResult<Vec<Vec<TokenLikelihood>>> {
        let engine = self.engine;
        let longest = group.iter().map(|sequence| read(sequence).len()).max().unwrap_or(0);
        let needed = engine.first_position() + longest;
        let fits = |cache: &KvCache| cache.slots() >= group.len() && cache.capacity() >= needed;
        if !self.caches.first().is_some_and(fits) {
            self.caches = engine.caches(group.len(), longest);
            for slot in 0..group.len() {
                engine.begin(&mut self.caches, slot)?;
            }
        }
        let mut answers: Vec<_> =
            group.iter().map(|sequence| Vec::with_capacity(sequence.predicted())).collect();
        let neighbours = neighbours(group);
        let first = engine.first_position();
        let piece = |index: usize, tokens: Range<usize>| Piece {
            slot: index,
            start: first + tokens.start,
            tokens: &read(&group[index])[tokens],
            owner: index,
            is_last: true,
        };
        let sharing = neighbours.iter().filter(|found| found.shared > 0);
        let beginnings: Vec<_> =
            sharing.clone().map(|found| piece(found.members.start, 0..found.shared)).collect();
        let members_of = |owner: usize| {
            let found = neighbours.iter().find(|found| found.members.contains(&owner));
            found.map_or(owner..owner + 1, |found| found.members.clone())
        };
        self.run(group, beginnings, members_of, &mut answers)?;
        for found in sharing {
            let filled = first + found.shared;
            self.caches.par_iter_mut().try_for_each(|cache| {
                let mut others = found.members.clone().skip(1);
                others.try_for_each(|slot| cache.copy_prefix(found.members.start, slot, filled))
            })?;
        }
        let rests: Vec<_> = neighbours
            .iter()
            .flat_map(|found| found.members.clone().map(move |index| (index, found.shared)))
            .map(|(index, shared)| piece(index, shared..read(&group[index]).len()))
            .collect();
        self.run(group, rests, |owner| owner..owner + 1, &mut answers)?;
        Ok(answers)
    }

    /// Reads pieces and rates what follows each of their tokens, for all sequences that `readers` says
    /// a piece is read for.
    fn run(
        &mut self,
        group: &[TokenSequence<'_>],
        pieces: Vec<Piece<'_>>,
        readers: impl Fn(usize) -> Range<usize>,
        answers: &mut [Vec<TokenLikelihood>],
    ) -> CandleResult<()> {
        let Self { engine, caches, scratch, hidden: kept, normed, logits } = self;
        let first = engine.first_position();
        let &Architecture { width, vocabulary, .. } = engine.architecture();
        let chunk = (CHUNK_LOGITS / vocabulary).clamp(16, 1024);
        engine.run(pieces, caches, scratch, |pass, hidden| {
            // The rows that somebody asks about, each with the token that follows and the askers.
            let mut asked = Vec::new();
            kept.clear();
            let mut row = 0;
            for piece in pass {
                for at in piece.start - first..piece.start - first + piece.tokens.len() {
                    let next = at + 1;
                    let mut askers = readers(piece.owner)
                        .filter(|&owner| next >= group[owner].first_predicted())
                        .peekable();
                    if askers.peek().is_some() {
                        kept.extend_from_slice(&hidden[row * width..(row + 1) * width]);
                        let target = group[piece.owner].tokens[next] as usize;
                        asked.push((target, askers.collect::<Vec<_>>()));
                    }
                    row += 1;
                }
            }
            for (hidden, asked) in kept.chunks(chunk * width).zip(asked.chunks(chunk)) {
                let logits = room(logits, asked.len() * vocabulary);
                engine.logits(hidden, asked.len(), normed, logits)?;
                let rated: Vec<_> = logits
                    .par_chunks_exact(vocabulary)
                    .zip(asked)
                    .map(|(logits, (target, _))| log_softmax_pick(logits, *target))
                    .collect::<CandleResult<_>>()?;
                for ((log_prob, is_greedy), (_, askers)) in rated.into_iter().zip(asked) {
                    for &asker in askers {
                        answers[asker].push(TokenLikelihood { log_prob, is_greedy });
                    }
                }
            }
            Ok(())
        })
    }
}
