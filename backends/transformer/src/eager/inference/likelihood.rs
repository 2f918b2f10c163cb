//! How likely the tokens of given sequences are.

use detoxlm_core::Result;
use detoxlm_core::causal_lm::{TokenLikelihood, TokenSequence};

use super::engine::Engine;
use crate::beginnings::{group_size, neighbours, read};
use crate::eager::attention::{Heads, Sight, behind};
use crate::eager::ids::id;
use crate::eager::network::Pass;
use crate::eager::place::Place;
use crate::eager::tensor::{Computed, Tensor};
use crate::rows::check_sequences;

/// Tokens of one pass, padding included.
const PASS_TOKENS: usize = 8192;

/// Logits held at a time on the processor, where 32 MiB stay near it, and on a GPU, which is idle
/// between small pieces of work.
const CHUNK_LOGITS: usize = 1 << 23;
const CHUNK_LOGITS_GPU: usize = 1 << 27;

impl<P: Place> Engine<P> {
    /// For each sequence, the likelihoods of its tokens from `from` on.
    pub(in crate::eager) fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        let vocabulary = self.architecture().vocabulary;
        check_sequences(sequences, self.context_length(), vocabulary)?;
        let mut answers = Vec::with_capacity(sequences.len());
        let mut rest = sequences;
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_size(rest, PASS_TOKENS));
            let rated = self.network.place.run(|| self.rate(group));
            answers.extend(rated.map_err(P::failed("rate tokens"))?);
            rest = later;
        }
        Ok(answers)
    }

    /// Sequences of one group: those that begin alike in two passes, the others in one.
    fn rate(&self, group: &[TokenSequence<'_>]) -> Computed<Vec<Vec<TokenLikelihood>>, P> {
        let mut answers = vec![Vec::new(); group.len()];
        let (mut alone, mut rests, mut beginnings) = (Vec::new(), Vec::new(), Vec::new());
        for found in neighbours(group) {
            let beginning = beginnings.len();
            let rest = |member: usize| Lane {
                member,
                start: found.shared,
                tokens: &read(&group[member])[found.shared..],
                beginning,
            };
            if found.shared > 0 {
                rests.extend(found.members.clone().map(rest));
                let member = found.members.start;
                let tokens = &read(&group[member])[..found.shared];
                beginnings.push(Lane { member, start: 0, tokens, beginning: 0 });
            } else {
                alone
                    .extend(found.members.clone().map(rest).filter(|lane| !lane.tokens.is_empty()));
            }
        }
        if !alone.is_empty() {
            let read = self.read(&alone, None, None)?;
            self.pick(group, &alone, &read, None, &mut answers)?;
        }
        if !rests.is_empty() {
            let mut kept = Vec::new();
            let begun = self.read(&beginnings, None, Some(&mut kept))?;
            let read = self.read(&rests, Some(&kept), None)?;
            self.pick(group, &rests, &read, Some(&begun), &mut answers)?;
        }
        Ok(answers)
    }

    /// Rates what follows the tokens that lanes have read, and those that their beginnings have.
    fn pick(
        &self,
        group: &[TokenSequence<'_>],
        lanes: &[Lane<'_>],
        read: &Read<'_, P>,
        begun: Option<&Read<'_, P>>,
        answers: &mut [Vec<TokenLikelihood>],
    ) -> Computed<(), P> {
        let place = &self.network.place;
        // Of lanes, and then of beginnings.
        let (behind, longest) = (read.lanes * read.longest, read.longest);
        let begun_longest = begun.map_or(0, |begun| begun.longest);
        let mut states = read.flat_states()?;
        if let Some(begun) = begun {
            states = P::Tensor::cat(&[states, begun.flat_states()?], 0)?;
        }
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for (row, lane) in lanes.iter().enumerate() {
            let sequence = &group[lane.member];
            for next in sequence.first_predicted()..sequence.tokens.len() {
                let at = next - 1;
                rows.push(match at.checked_sub(lane.start) {
                    Some(offset) => id(row * longest + offset),
                    None => id(behind + lane.beginning * begun_longest + at),
                });
                targets.push(sequence.tokens[next]);
            }
        }
        let states = states.rows(&place.ids(&rows, &[rows.len()])?)?;
        let targets = place.ids(&targets, &[targets.len()])?;

        let held = if place.is_gpu() { CHUNK_LOGITS_GPU } else { CHUNK_LOGITS };
        let chunk = (held / self.architecture().vocabulary).max(16);
        let mut rated = Vec::with_capacity(rows.len());
        for start in (0..rows.len()).step_by(chunk) {
            let length = chunk.min(rows.len() - start);
            let logits = read.pass.logits(&states.narrow(0, start, length)?)?;
            let (log_probs, greedy) = logits.likelihoods(&targets.narrow(0, start, length)?)?;
            rated.extend(log_probs.into_iter().zip(greedy));
        }
        let mut rated =
            rated.into_iter().map(|(log_prob, is_greedy)| TokenLikelihood { log_prob, is_greedy });
        for lane in lanes {
            answers[lane.member] = rated.by_ref().take(group[lane.member].predicted()).collect();
        }
        Ok(())
    }

    /// Reads the tokens of lanes, behind what their beginnings have kept, and keeps what others need of it.
    fn read(
        &self,
        lanes: &[Lane<'_>],
        begun: Option<&Kept<P>>,
        mut keep: Option<&mut Kept<P>>,
    ) -> Computed<Read<'_, P>, P> {
        let place = &self.network.place;
        let longest = lanes.iter().map(|lane| lane.tokens.len()).max().unwrap_or(0);
        let first = self.first_position();
        let shape = [lanes.len(), longest];
        let mut tokens = vec![0; lanes.len() * longest];
        // Padding stands where the last token does: the model has no later position for it.
        let mut positions = Vec::with_capacity(tokens.len());
        for (row, lane) in tokens.chunks_exact_mut(longest).zip(lanes) {
            row[..lane.tokens.len()].copy_from_slice(lane.tokens);
            let last = lane.tokens.len().saturating_sub(1);
            positions.extend((0..longest).map(|at| id(first + lane.start + at.min(last))));
        }
        let tokens = place.ids(&tokens, &shape)?;
        let positions = place.ids(&positions, &shape)?;
        let prefix = self.network.prefix(&self.parameters)?;
        let beginnings: Vec<u32> = lanes.iter().map(|lane| id(lane.beginning)).collect();
        let beginnings = place.ids(&beginnings, &[lanes.len()])?;
        let mask = match (begun, &prefix) {
            (None, None) => None,
            _ => Some(self.sight(lanes, longest, begun)?),
        };
        let sight = mask.as_ref().map_or(Sight::Causal, Sight::Masked);
        let scale = f64::from(self.architecture().attention_scale());
        let pass = self.network.pass(&self.parameters, &positions, None)?;
        let mut states = pass.embed(&tokens)?;
        for index in 0..self.architecture().blocks.len() {
            let layer =
                prefix.as_ref().map(|prefix| self.network.layer_of(prefix, index)).transpose()?;
            states = pass.block(index, &states, &mut |heads| {
                let heads = match begun {
                    // Those of a beginning stand behind the prefix already.
                    Some(begun) => {
                        let (keys, values) = &begun[index];
                        let join = |begun: &P::Tensor, own: &P::Tensor| {
                            P::Tensor::cat(&[begun.rows(&beginnings)?, own.clone()], 2)
                        };
                        let (key, value) = (join(keys, &heads.key)?, join(values, &heads.value)?);
                        Heads { query: heads.query.clone(), key, value }
                    }
                    None => behind(heads, layer.as_ref())?,
                };
                let attended = P::Tensor::attend(&heads, &sight, scale)?;
                if let Some(kept) = &mut keep {
                    kept.push((heads.key, heads.value));
                }
                Ok(attended)
            })?;
        }
        Ok(Read { pass, states, lanes: lanes.len(), longest })
    }

    /// Which keys the tokens of lanes see, (lanes, 1, tokens, keys): all of a prefix, as much of a beginning
    /// as is theirs, and of their own those that are not later.
    fn sight(
        &self,
        lanes: &[Lane<'_>],
        longest: usize,
        begun: Option<&Kept<P>>,
    ) -> Computed<P::Tensor, P> {
        let first = self.first_position();
        let before = match begun.and_then(|kept| kept.first()) {
            Some((keys, _)) => keys.shape()[2],
            None => first,
        };
        let mut seen = Vec::with_capacity(lanes.len() * longest * (before + longest));
        for lane in lanes {
            let theirs = first + lane.start;
            for at in 0..longest {
                seen.extend((0..before).map(|key| key < theirs));
                seen.extend((0..longest).map(|key| key <= at));
            }
        }
        self.network.place.mask(&seen, &[lanes.len(), 1, longest, before + longest])
    }
}

/// A sequence's part in a pass.
struct Lane<'a> {
    /// Which sequence of the group.
    member: usize,
    /// How many of its tokens stand in its beginning.
    start: usize,
    tokens: &'a [u32],
    /// Which beginning.
    beginning: usize,
}

/// What a pass has made of its lanes.
struct Read<'a, P: Place> {
    pass: Pass<'a, P>,
    /// Of the last block: (lanes, tokens, width), padded.
    states: P::Tensor,
    lanes: usize,
    longest: usize,
}

impl<P: Place> Read<'_, P> {
    /// (lanes * tokens, width).
    fn flat_states(&self) -> Computed<P::Tensor, P> {
        let width = self.states.shape()[2];
        self.states.reshape(&[self.lanes * self.longest, width])
    }
}

/// Every layer's keys and values, a prefix's in front: (lanes, kv heads, keys, head width).
type Kept<P> = Vec<(<P as Place>::Tensor, <P as Place>::Tensor)>;
