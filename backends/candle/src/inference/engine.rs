//! One forward pass over a ragged batch of tokens.

use candle_core::Result as CandleResult;
use candle_fused_ops::infer::{
    AttentionShape, HeadColumns, KvCache, PackedLinear, RopeTable, Rows, Segment, add_assign,
    apply_rope, cached_attention, gather_add_rows, gather_rows, gelu_erf, gelu_tanh, silu_mul,
};
use detoxlm_core::Result;

use super::packed::{PackedBlock, PackedFeedForward, PackedNorm, Packer};
use super::scratch::{Scratch, room};
use crate::architecture::{Activation, Architecture};
use crate::checkpoint::Checkpoint;
use crate::error::internal;

/// Tokens of one pass: enough for the weights to be read rarely, few enough for the activations to
/// stay in the last-level cache.
const PASS_TOKENS: usize = 512;

/// Consecutive tokens of one sequence: a prompt, a part of one, or the token just drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// The sequence's slot in the cache.
    pub(super) slot: usize,
    /// Position of the first token.
    pub(super) start: usize,
    pub(super) tokens: &'a [u32],
    /// Which of the caller's sequences this is a piece of.
    pub(super) owner: usize,
    /// Whether the sequence has no tokens after these.
    pub(super) is_last: bool,
}

/// A model ready to compute.
pub(crate) struct Engine {
    pub(super) architecture: Architecture,
    embedding: Vec<f32>,
    position_embedding: Option<Vec<f32>>,
    rotary: Option<RopeTable>,
    blocks: Vec<PackedBlock>,
    final_norm: PackedNorm,
    head: PackedLinear,
}

impl Engine {
    /// Reads and packs the weights, on the current thread pool.
    pub(crate) fn load(architecture: Architecture, checkpoint: &Checkpoint) -> Result<Self> {
        let packer = Packer { architecture: &architecture, checkpoint };
        let rotary = architecture
            .rotary
            .map(|rotary| {
                rotary.decoding_table(architecture.head_width, architecture.context_length)
            })
            .transpose()
            .map_err(internal("prepare the positions"))?;
        Ok(Self {
            embedding: packer.values(architecture.embedding)?,
            position_embedding: architecture
                .position_embedding
                .map(|positions| packer.values(positions))
                .transpose()?,
            rotary,
            blocks: architecture
                .blocks
                .iter()
                .map(|block| packer.block(block))
                .collect::<Result<_>>()?,
            final_norm: packer.norm(architecture.final_norm)?,
            head: packer.head()?,
            architecture,
        })
    }

    pub(crate) const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// An empty cache for each layer.
    pub(super) fn caches(&self, slots: usize, capacity: usize) -> Vec<KvCache> {
        let Architecture { kv_heads, head_width, .. } = self.architecture;
        self.blocks.iter().map(|_| KvCache::new(slots, capacity, kv_heads, head_width)).collect()
    }

    /// The first id that is not in the vocabulary.
    pub(super) fn foreign(&self, tokens: &[u32]) -> Option<u32> {
        tokens.iter().copied().find(|&token| token as usize >= self.architecture.vocabulary)
    }

    /// Computes the hidden states of all tokens, (tokens, width), in passes of bounded size, and
    /// hands each pass's pieces and states to `take`.
    ///
    /// A sequence that is cut between two passes has the same bits as one that is not: the kernels
    /// are batch-invariant.
    pub(super) fn run<'a>(
        &self,
        pieces: impl IntoIterator<Item = Piece<'a>>,
        caches: &mut [KvCache],
        scratch: &mut Scratch,
        mut take: impl FnMut(&[Piece<'_>], &[f32]) -> CandleResult<()>,
    ) -> CandleResult<()> {
        let mut pass: Vec<Piece<'_>> = Vec::new();
        let mut size = 0;
        for mut piece in pieces {
            while !piece.tokens.is_empty() {
                let (now, later) =
                    piece.tokens.split_at(piece.tokens.len().min(PASS_TOKENS - size));
                let is_last = piece.is_last && later.is_empty();
                pass.push(Piece { tokens: now, is_last, ..piece });
                size += now.len();
                piece = Piece { start: piece.start + now.len(), tokens: later, ..piece };
                if size == PASS_TOKENS {
                    take(&pass, self.pass(&pass, size, caches, scratch)?)?;
                    pass.clear();
                    size = 0;
                }
            }
        }
        if size > 0 {
            take(&pass, self.pass(&pass, size, caches, scratch)?)?;
        }
        Ok(())
    }

    /// The logits of `rows` hidden states; `normed` is a buffer.
    pub(super) fn logits(
        &self,
        hidden: &[f32],
        rows: usize,
        normed: &mut Vec<f32>,
        logits: &mut [f32],
    ) -> CandleResult<()> {
        let normed = room(normed, hidden.len());
        self.final_norm.apply(hidden, self.architecture.epsilon as f32, normed)?;
        self.head.forward_into(normed, rows, logits)
    }

    fn pass<'s>(
        &self,
        pieces: &[Piece<'_>],
        size: usize,
        caches: &mut [KvCache],
        scratch: &'s mut Scratch,
    ) -> CandleResult<&'s [f32]> {
        scratch.tokens.clear();
        scratch.positions.clear();
        for piece in pieces {
            scratch.tokens.extend_from_slice(piece.tokens);
            let end = piece.start + piece.tokens.len();
            scratch.positions.extend((piece.start..end).map(|position| position as u32));
        }
        let segments: Vec<_> = pieces
            .iter()
            .map(|piece| Segment { slot: piece.slot, start: piece.start, len: piece.tokens.len() })
            .collect();
        let width = self.architecture.width;
        let hidden = room(&mut scratch.hidden, size * width);
        gather_rows(&self.embedding, width, &scratch.tokens, hidden)?;
        if let Some(table) = &self.position_embedding {
            gather_add_rows(table, width, &scratch.positions, hidden)?;
        }
        for (block, cache) in self.blocks.iter().zip(caches) {
            self.attend(block, cache, &segments, size, scratch)?;
            self.feed_forward(block, size, scratch)?;
        }
        Ok(&scratch.hidden[..size * width])
    }

    fn attend(
        &self,
        block: &PackedBlock,
        cache: &mut KvCache,
        segments: &[Segment],
        size: usize,
        scratch: &mut Scratch,
    ) -> CandleResult<()> {
        let Architecture { width, heads, kv_heads, head_width, .. } = self.architecture;
        let (queries, keys) = (heads * head_width, kv_heads * head_width);
        let stride = queries + 2 * keys;
        let hidden = &mut scratch.hidden[..size * width];
        let normed = room(&mut scratch.normed, size * width);
        block.attention_norm.apply(hidden, self.architecture.epsilon as f32, normed)?;
        let projections = room(&mut scratch.projections, size * stride);
        block.projections.forward_into(normed, size, projections)?;
        if let Some(table) = &self.rotary {
            let rotated =
                HeadColumns { stride, offset: 0, heads: heads + kv_heads, head_dim: head_width };
            apply_rope(projections, rotated, &scratch.positions, table)?;
        }
        let columns = |offset| Rows::columns(projections, stride, offset);
        let shape = AttentionShape {
            heads,
            kv_heads,
            head_dim: head_width,
            scale: attention_scale(head_width),
        };
        let attended = room(&mut scratch.attended, size * queries);
        cached_attention(
            columns(0),
            columns(queries),
            columns(queries + keys),
            cache,
            segments,
            shape,
            attended,
        )?;
        let update = room(&mut scratch.update, size * width);
        block.attention_output.forward_into(attended, size, update)?;
        add_assign(hidden, update)
    }

    fn feed_forward(
        &self,
        block: &PackedBlock,
        size: usize,
        scratch: &mut Scratch,
    ) -> CandleResult<()> {
        let Architecture { width, inner_width, .. } = self.architecture;
        let hidden = &mut scratch.hidden[..size * width];
        let normed = room(&mut scratch.normed, size * width);
        block.feed_forward_norm.apply(hidden, self.architecture.epsilon as f32, normed)?;
        let update = room(&mut scratch.update, size * width);
        match &block.feed_forward {
            PackedFeedForward::Plain { up, activation, down } => {
                let inner = room(&mut scratch.inner, size * inner_width);
                up.forward_into(normed, size, inner)?;
                match activation {
                    Activation::GeluTanh => gelu_tanh(inner),
                    Activation::GeluErf => gelu_erf(inner),
                }
                down.forward_into(inner, size, update)?;
            }
            PackedFeedForward::SwiGlu { gate_up, down } => {
                let both = room(&mut scratch.inner, size * 2 * inner_width);
                gate_up.forward_into(normed, size, both)?;
                let columns = |offset| Rows::columns(both, 2 * inner_width, offset);
                let gated = room(&mut scratch.gated, size * inner_width);
                silu_mul(columns(0), columns(inner_width), inner_width, gated)?;
                down.forward_into(gated, size, update)?;
            }
        }
        add_assign(hidden, update)
    }
}

/// `1 / sqrt(head_width)` (Vaswani et al. 2017).
pub(crate) fn attention_scale(head_width: usize) -> f32 {
    1.0 / (head_width as f32).sqrt()
}
