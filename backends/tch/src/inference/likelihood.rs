//! How likely the tokens of given sequences are.

use detoxlm_core::Result;
use detoxlm_core::causal_lm::{TokenLikelihood, TokenSequence};
use detoxlm_transformer::rows::check_sequences;
use tch::{Kind, Tensor, no_grad_guard};

use super::engine::Engine;
use crate::attention::{Sight, attend, behind};
use crate::error::{Computed, failed};
use crate::network::Pass;
use crate::tensors::{download, size, upload_ids};

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
            let (group, later) = rest.split_at(group_size(rest));
            answers.extend(self.rate(group).map_err(failed("rate tokens"))?);
            rest = later;
        }
        Ok(answers)
    }

    /// Sequences of one pass.
    fn rate(&self, group: &[TokenSequence<'_>]) -> Computed<Vec<Vec<TokenLikelihood>>> {
        let longest = group.iter().map(|sequence| read(sequence).len()).max().unwrap_or(0);
        if longest == 0 {
            return Ok(group.iter().map(|_| Vec::new()).collect());
        }
        let place = self.network.place;
        let first = size(self.first_position());
        let options = (Kind::Int64, place.device);
        let positions = Tensor::f_arange_start(first, first + size(longest), options)?;
        let pass = self.network.pass(&self.parameters, &positions.f_unsqueeze(0)?, None)?;
        let x = self.states(&pass, &positions, group, longest)?.f_flatten(0, 1)?;
        let wanted = || {
            group.iter().enumerate().flat_map(|(row, sequence)| {
                let rated = sequence.first_predicted()..sequence.tokens.len();
                rated.map(move |next| (row, next))
            })
        };
        let rows: Vec<u32> =
            wanted().map(|(row, next)| (row * longest + next - 1) as u32).collect();
        let targets: Vec<u32> = wanted().map(|(row, next)| group[row].tokens[next]).collect();
        let x = x.f_index_select(0, &upload_ids(&rows, &[rows.len()], place)?)?;
        let targets = upload_ids(&targets, &[targets.len()], place)?;

        let held = if place.is_gpu() { CHUNK_LOGITS_GPU } else { CHUNK_LOGITS };
        let chunk = (held / self.architecture().vocabulary).max(16);
        let (mut log_probs, mut greedy) = (Vec::new(), Vec::new());
        for start in (0..rows.len()).step_by(chunk) {
            let length = size(chunk.min(rows.len() - start));
            let part = |tensor: &Tensor| tensor.f_narrow(0, size(start), length);
            let (log_prob, is_greedy) = pick(&pass.logits(&part(&x)?)?, &part(&targets)?)?;
            log_probs.extend(download(&log_prob)?);
            greedy.extend(download(&is_greedy)?);
        }
        let mut rated = log_probs
            .into_iter()
            .zip(greedy)
            .map(|(log_prob, greedy)| TokenLikelihood { log_prob, is_greedy: greedy > 0.5 });
        let answers =
            group.iter().map(|sequence| rated.by_ref().take(sequence.predicted()).collect());
        Ok(answers.collect())
    }

    /// What the last block makes of every position that is read: (sequences, `longest`, width), padded.
    fn states(
        &self,
        pass: &Pass<'_>,
        positions: &Tensor,
        group: &[TokenSequence<'_>],
        longest: usize,
    ) -> Computed<Tensor> {
        let place = self.network.place;
        let mut tokens = vec![0; group.len() * longest];
        for (row, sequence) in tokens.chunks_exact_mut(longest).zip(group) {
            let inputs = read(sequence);
            row[..inputs.len()].copy_from_slice(inputs);
        }
        let tokens = upload_ids(&tokens, &[group.len(), longest], place)?;
        let prefix = self.network.prefix(&self.parameters)?;
        // Behind a prefix, which every position sees, the first key is not the first position's.
        let mask = match &prefix {
            None => None,
            Some(_) => {
                let keys = size(self.first_position() + longest);
                let keys = Tensor::f_arange(keys, (Kind::Int64, place.device))?;
                let seen = keys.f_le_tensor(&positions.f_unsqueeze(-1)?)?;
                Some(seen.f_unsqueeze(0)?.f_unsqueeze(0)?)
            }
        };
        let sight = mask.as_ref().map_or(Sight::Causal, Sight::Masked);
        let mut x = pass.embed(&tokens)?;
        for index in 0..self.architecture().blocks.len() {
            let layer =
                prefix.as_ref().map(|prefix| self.network.layer_of(prefix, index)).transpose()?;
            x = pass.block(index, &x, &mut |heads| {
                let (key, value) = behind(heads, layer.as_ref())?;
                attend(self.architecture(), &heads.query, &key, &value, &sight)
            })?;
        }
        Ok(x)
    }
}

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

/// What the model reads of a sequence: all but its last token, and nothing where nothing is asked for.
fn read<'a>(sequence: &TokenSequence<'a>) -> &'a [u32] {
    match sequence.tokens.split_last() {
        Some((_, read)) if sequence.predicted() > 0 => read,
        _ => &[],
    }
}

/// How many of the sequences to work on together; at least one.
fn group_size(sequences: &[TokenSequence<'_>]) -> usize {
    let mut longest = 0;
    let fitting = sequences.iter().enumerate().take_while(|(index, sequence)| {
        longest = longest.max(read(sequence).len());
        (index + 1) * longest <= PASS_TOKENS
    });
    fitting.count().max(1)
}
