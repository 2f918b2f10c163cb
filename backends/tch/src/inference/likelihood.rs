//! How likely the tokens of given sequences are.

use detoxlm_core::Result;
use detoxlm_core::causal_lm::{TokenLikelihood, TokenSequence};
use detoxlm_transformer::beginnings::{group_size, neighbours, read};
use detoxlm_transformer::rows::check_sequences;
use tch::{Kind, Tensor, no_grad_guard};

use super::engine::Engine;
use crate::attention::{Sight, attend, behind};
use crate::error::{Computed, failed};
use crate::network::Pass;
use crate::tensors::{download, size, sizes, upload_ids};

/// Tokens of one pass, padding included.
const PASS_TOKENS: usize = 8192;

/// Logits held at a time on the processor, where 32 MiB stay near it, and on a GPU, which is idle
/// between small pieces of work.
const CHUNK_LOGITS: usize = 1 << 23;
const CHUNK_LOGITS_GPU: usize = 1 << 27;

impl Engine {
    /// For each sequence, the likelihoods of its tokens from `from` on.
    pub(crate) fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        let vocabulary = self.architecture().vocabulary;
        check_sequences(sequences, self.context_length(), vocabulary)?;
        let _guard = no_grad_guard();
        let mut answers = Vec::with_capacity(sequences.len());
        let mut rest = sequences;
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_size(rest, PASS_TOKENS));
            answers.extend(self.rate(group).map_err(failed("rate tokens"))?);
            rest = later;
        }
        Ok(answers)
    }

    /// Sequences of one group: those that begin alike in two passes, the others in one.
    fn rate(&self, group: &[TokenSequence<'_>]) -> Computed<Vec<Vec<TokenLikelihood>>> {
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
        read: &Read<'_>,
        begun: Option<&Read<'_>>,
        answers: &mut [Vec<TokenLikelihood>],
    ) -> Computed<()> {
        let place = self.network.place;
        // Of lanes, and then of beginnings.
        let (count, longest, _) = read.states.size3()?;
        let (behind, begun_longest) = match begun {
            Some(begun) => (count * longest, begun.states.size3()?.1),
            None => (0, 0),
        };
        let mut states = read.states.f_flatten(0, 1)?;
        if let Some(begun) = begun {
            states = Tensor::f_cat(&[states, begun.states.f_flatten(0, 1)?], 0)?;
        }
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for (row, lane) in lanes.iter().enumerate() {
            let sequence = &group[lane.member];
            for next in sequence.first_predicted()..sequence.tokens.len() {
                let at = next - 1;
                rows.push(match at.checked_sub(lane.start) {
                    Some(offset) => size(row) * longest + size(offset),
                    None => behind + size(lane.beginning) * begun_longest + size(at),
                });
                targets.push(sequence.tokens[next]);
            }
        }
        let states = states.f_index_select(0, &Tensor::f_from_slice(&rows)?.f_to(place.device)?)?;
        let targets = upload_ids(&targets, &[targets.len()], place)?;

        let held = if place.is_gpu() { CHUNK_LOGITS_GPU } else { CHUNK_LOGITS };
        let chunk = (held / self.architecture().vocabulary).max(16);
        let (mut log_probs, mut greedy) = (Vec::new(), Vec::new());
        for start in (0..rows.len()).step_by(chunk) {
            let length = size(chunk.min(rows.len() - start));
            let part = |tensor: &Tensor| tensor.f_narrow(0, size(start), length);
            let (log_prob, is_greedy) =
                pick(&read.pass.logits(&part(&states)?)?, &part(&targets)?)?;
            log_probs.extend(download(&log_prob)?);
            greedy.extend(download(&is_greedy)?);
        }
        let mut rated = log_probs
            .into_iter()
            .zip(greedy)
            .map(|(log_prob, greedy)| TokenLikelihood { log_prob, is_greedy: greedy > 0.5 });
        for lane in lanes {
            answers[lane.member] = rated.by_ref().take(group[lane.member].predicted()).collect();
        }
        Ok(())
    }

    /// Reads the tokens of lanes, behind what their beginnings have kept, and keeps what others need of it.
    fn read(
        &self,
        lanes: &[Lane<'_>],
        begun: Option<&Kept>,
        mut keep: Option<&mut Kept>,
    ) -> Computed<Read<'_>> {
        let place = self.network.place;
        let longest = lanes.iter().map(|lane| lane.tokens.len()).max().unwrap_or(0);
        let first = self.first_position();
        let shape = [lanes.len(), longest];
        let mut tokens = vec![0; lanes.len() * longest];
        // Padding stands where the last token does: the model has no later position for it.
        let mut positions = Vec::with_capacity(tokens.len());
        for (row, lane) in tokens.chunks_exact_mut(longest).zip(lanes) {
            row[..lane.tokens.len()].copy_from_slice(lane.tokens);
            let last = lane.tokens.len().saturating_sub(1);
            positions.extend((0..longest).map(|at| size(first + lane.start + at.min(last))));
        }
        let tokens = upload_ids(&tokens, &shape, place)?;
        let positions =
            Tensor::f_from_slice(&positions)?.f_to(place.device)?.f_reshape(sizes(&shape))?;
        let prefix = self.network.prefix(&self.parameters)?;
        let beginnings: Vec<i64> = lanes.iter().map(|lane| size(lane.beginning)).collect();
        let beginnings = Tensor::f_from_slice(&beginnings)?.f_to(place.device)?;
        let mask = match (begun, &prefix) {
            (None, None) => None,
            _ => Some(self.sight(lanes, longest, begun)?),
        };
        let sight = mask.as_ref().map_or(Sight::Causal, Sight::Masked);
        let pass = self.network.pass(&self.parameters, &positions, None)?;
        let mut states = pass.embed(&tokens)?;
        for index in 0..self.architecture().blocks.len() {
            let layer =
                prefix.as_ref().map(|prefix| self.network.layer_of(prefix, index)).transpose()?;
            states = pass.block(index, &states, &mut |heads| {
                let (key, value) = match begun {
                    // Those of a beginning stand behind the prefix already.
                    Some(begun) => {
                        let (keys, values) = &begun[index];
                        let join = |begun: &Tensor, own: &Tensor| {
                            let begun = begun.f_index_select(0, &beginnings)?;
                            Tensor::f_cat(&[begun, own.shallow_clone()], 2)
                        };
                        (join(keys, &heads.key)?, join(values, &heads.value)?)
                    }
                    None => behind(heads, layer.as_ref())?,
                };
                let attended = attend(self.architecture(), &heads.query, &key, &value, &sight)?;
                if let Some(kept) = &mut keep {
                    kept.push((key, value));
                }
                Ok(attended)
            })?;
        }
        Ok(Read { pass, states })
    }

    /// Which keys the tokens of lanes see, (lanes, 1, tokens, keys): all of a prefix, as much of a beginning
    /// as is theirs, and of their own those that are not later.
    fn sight(&self, lanes: &[Lane<'_>], longest: usize, begun: Option<&Kept>) -> Computed<Tensor> {
        let first = self.first_position();
        let before = match begun.and_then(|kept| kept.first()) {
            Some((keys, _)) => keys.size4()?.2 as usize,
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
        let shape = sizes(&[lanes.len(), 1, longest, before + longest]);
        Tensor::f_from_slice(&seen)?.f_to(self.network.place.device)?.f_reshape(shape)
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
struct Read<'a> {
    pass: Pass<'a>,
    /// Of the last block: (lanes, tokens, width), padded.
    states: Tensor,
}

/// Every layer's keys and values, a prefix's in front: (lanes, kv heads, keys, head width).
type Kept = Vec<(Tensor, Tensor)>;

/// The log-probabilities of the targets, and 1 where no other token is more probable (of equals, the
/// lowest id counts).
fn pick(logits: &Tensor, targets: &Tensor) -> Computed<(Tensor, Tensor)> {
    let targets = targets.f_unsqueeze(-1)?;
    let own = logits.f_gather(-1, &targets, false)?;
    let log_prob = own.f_sub(&logits.f_logsumexp([-1_i64], true)?)?;
    let ids = Tensor::f_arange(logits.size2()?.1, (Kind::Int64, logits.device()))?;
    let equal_before = logits.f_eq_tensor(&own)?.f_logical_and(&ids.f_lt_tensor(&targets)?)?;
    let beaten = logits.f_gt_tensor(&own)?.f_logical_or(&equal_before)?.f_any_dim(-1, false)?;
    Ok((log_prob, beaten.f_logical_not()?))
}
