//! How likely the tokens of given sequences are.

use std::ops::Range;

use candle_core::Result as CandleResult;
use candle_fused_ops::infer::{KvCache, log_softmax_pick};
use detoxlm_core::causal_lm::{TokenLikelihood, TokenSequence};
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

/// Fewer common tokens than this are not worth a pass of their own.
const SHARED_TOKENS: usize = 8;

impl Engine {
    /// For each sequence, the likelihoods of its tokens from `from` on, on the current pool.
    pub(crate) fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        let context = self.context_length();
        for (index, sequence) in sequences.iter().enumerate() {
            // The last token is predicted and not read.
            if read(sequence).len() > context {
                return Err(error(
                    ErrorKind::InvalidInput,
                    OPERATION,
                    format!(
                        "sequence {index} has {} tokens before its last, more than the context of \
                         {context}",
                        read(sequence).len()
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
            let (group, later) = rest.split_at(group_size(rest));
            answers.extend(rater.rate(group).map_err(internal(OPERATION))?);
            rest = later;
        }
        Ok(answers)
    }
}

/// What a model reads of a sequence: all but its last token.
fn read<'a>(sequence: &TokenSequence<'a>) -> &'a [u32] {
    sequence.tokens.split_last().map_or(&[], |(_, read)| read)
}

/// How many of the sequences to work on together; at least one.
fn group_size(sequences: &[TokenSequence<'_>]) -> usize {
    let mut longest = 0;
    let fitting = sequences.iter().enumerate().take_while(|(index, sequence)| {
        longest = longest.max(read(sequence).len());
        (index + 1) * longest <= GROUP_TOKENS
    });
    fitting.count().max(1)
}

/// Neighbours that begin with the same tokens.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    members: Range<usize>,
    /// How many tokens are read once for all members. The last common token is not among them: what
    /// follows it differs, and each member predicts its own.
    shared: usize,
}

/// Finds families. A member joins while that leaves at least half of what the others have in common.
fn families(group: &[TokenSequence<'_>]) -> Vec<Family> {
    let mut families = Vec::new();
    let mut start = 0;
    while start < group.len() {
        let mut common = read(&group[start]).len();
        let mut end = start + 1;
        while let Some(next) = group.get(end) {
            let pairs = read(&group[start])[..common].iter().zip(read(next));
            let with_next = pairs.take_while(|(a, b)| a == b).count();
            if with_next <= SHARED_TOKENS || (end > start + 1 && 2 * with_next < common) {
                break;
            }
            common = with_next;
            end += 1;
        }
        let shared = if end > start + 1 { common - 1 } else { 0 };
        families.push(Family { members: start..end, shared });
        start = end;
    }
    families
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
        let families = families(group);
        let first = engine.first_position();
        let piece = |index: usize, tokens: Range<usize>| Piece {
            slot: index,
            start: first + tokens.start,
            tokens: &read(&group[index])[tokens],
            owner: index,
            is_last: true,
        };
        let shared = families.iter().filter(|family| family.shared > 0);
        let beginnings: Vec<_> =
            shared.clone().map(|family| piece(family.members.start, 0..family.shared)).collect();
        let members_of = |owner: usize| {
            let family = families.iter().find(|family| family.members.contains(&owner));
            family.map_or(owner..owner + 1, |family| family.members.clone())
        };
        self.run(group, beginnings, members_of, &mut answers)?;
        for family in shared {
            let filled = first + family.shared;
            self.caches.par_iter_mut().try_for_each(|cache| {
                let mut others = family.members.clone().skip(1);
                others.try_for_each(|slot| cache.copy_prefix(family.members.start, slot, filled))
            })?;
        }
        let rests: Vec<_> = families
            .iter()
            .flat_map(|family| family.members.clone().map(move |index| (index, family.shared)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sequences: &[&[u32]]) -> Vec<(Range<usize>, usize)> {
        let group: Vec<_> = sequences.iter().map(TokenSequence::from).collect();
        families(&group).into_iter().map(|family| (family.members, family.shared)).collect()
    }

    #[test]
    fn neighbours_that_begin_alike_are_a_family() {
        let long: Vec<u32> = (0..40).collect();
        let other: Vec<u32> = (0..20).chain(100..120).collect();
        let short: Vec<u32> = (0..11).chain(200..230).collect();
        let ends = [long.as_slice(), &[7, 8]].concat();
        assert_eq!(found(&[&long, &ends, &long]), [(0..3, 38)]);
        assert_eq!(found(&[&long, &other]), [(0..2, 19)]);
        // It would cost the two before it more than it saves.
        assert_eq!(found(&[&long, &ends, &short]), [(0..2, 38), (2..3, 0)]);
        assert_eq!(found(&[&long[..5], &long[..5]]), [(0..1, 0), (1..2, 0)]);
        assert_eq!(found(&[&[], &[1], &long]), [(0..1, 0), (1..2, 0), (2..3, 0)]);
    }
}
