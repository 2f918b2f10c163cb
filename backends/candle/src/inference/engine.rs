//! One forward pass over a ragged batch of tokens.

use std::sync::Arc;

use candle_core::Result as CandleResult;
use candle_fused_ops::infer::{
    AttentionShape, HeadColumns, KvCache, PackedLinear, RopeTable, Rows, Segment, add_assign,
    apply_rope, cached_attention, gather_add_rows, gather_rows, gelu_erf, gelu_tanh, silu_mul,
};
use detoxlm_core::Result;

use super::adapted::{Additions, BlockAdditions};
use super::packed::{PackedBlock, PackedFeedForward, PackedNorm, Packer};
use super::scratch::{Scratch, room};
use crate::adapters::AdaptationValues;
use crate::architecture::{Activation, Architecture};
use crate::checkpoint::Checkpoint;
use crate::error::internal;
use crate::rope;

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

/// A model's weights, packed.
struct Base {
    architecture: Architecture,
    embedding: Vec<f32>,
    position_embedding: Option<Vec<f32>>,
    rotary: Option<RopeTable>,
    blocks: Vec<PackedBlock>,
    final_norm: PackedNorm,
    head: PackedLinear,
}

/// A model ready to compute, with what is added to it. Engines of one base share its weights.
pub(crate) struct Engine {
    base: Arc<Base>,
    additions: Additions,
}

impl Base {
    fn load(architecture: Architecture, checkpoint: &Checkpoint) -> Result<Self> {
        let packer = Packer { architecture: &architecture, checkpoint };
        let rotary =
            rope::decoding_table(&architecture).map_err(internal("prepare the positions"))?;
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
}

impl Engine {
    /// Reads and packs the weights, on the current thread pool.
    pub(crate) fn load(architecture: Architecture, checkpoint: &Checkpoint) -> Result<Self> {
        let additions = Additions::none(&architecture);
        Ok(Self { base: Arc::new(Base::load(architecture, checkpoint)?), additions })
    }

    /// The same base with these additions, in place of those of this engine.
    pub(crate) fn adapted(&self, added: &AdaptationValues) -> Result<Self> {
        let additions = Additions::pack(self.architecture(), added)?;
        Ok(Self { base: Arc::clone(&self.base), additions })
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        &self.base.architecture
    }

    /// Tokens that a sequence may have.
    pub(crate) fn context_length(&self) -> usize {
        self.architecture().context_length - self.additions.prefix_length()
    }

    /// Position of a sequence's first token.
    pub(super) fn first_position(&self) -> usize {
        self.additions.prefix_length()
    }

    /// A cache for each layer, with room for sequences of so many tokens. Nothing is in it.
    pub(super) fn caches(&self, slots: usize, capacity: usize) -> Vec<KvCache> {
        let &Architecture { kv_heads, head_width, ref blocks, .. } = self.architecture();
        let capacity = self.first_position() + capacity;
        blocks.iter().map(|_| KvCache::new(slots, capacity, kv_heads, head_width)).collect()
    }

    /// Begins a sequence in a slot, whose first token has the first position.
    pub(super) fn begin(&self, caches: &mut [KvCache], slot: usize) -> CandleResult<()> {
        self.additions.write_prefix(caches, slot)
    }

    /// The keys and values that every layer keeps of a text, as a prefix holds them: (tokens,
    /// layers * 2 * key width), a layer's keys and then its values. On the current thread pool.
    pub(crate) fn keys_and_values(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        let keep = || {
            let mut caches = self.caches(1, tokens.len());
            self.begin(&mut caches, 0)?;
            let start = self.first_position();
            let text = Piece { slot: 0, start, tokens, owner: 0, is_last: true };
            self.run([text], &mut caches, &mut Scratch::default(), |_, _| Ok(()))?;
            let width = self.architecture().key_width();
            let mut rows = vec![0.0; tokens.len() * 2 * width * caches.len()];
            for (index, cell) in rows.chunks_exact_mut(2 * width).enumerate() {
                let (token, layer) = (index / caches.len(), index % caches.len());
                let (keys, values) = cell.split_at_mut(width);
                caches[layer].read(0, start + token, keys, values)?;
            }
            Ok(rows)
        };
        keep().map_err(internal("read keys and values"))
    }

    /// The first id that is not in the vocabulary.
    pub(super) fn foreign(&self, tokens: &[u32]) -> Option<u32> {
        tokens.iter().copied().find(|&token| token as usize >= self.architecture().vocabulary)
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
        self.base.final_norm.apply(hidden, self.architecture().epsilon as f32, normed)?;
        self.base.head.forward_into(normed, rows, logits)
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
        let base = &self.base;
        let width = base.architecture.width;
        let hidden = room(&mut scratch.hidden, size * width);
        gather_rows(&base.embedding, width, &scratch.tokens, hidden)?;
        if let Some(table) = &base.position_embedding {
            gather_add_rows(table, width, &scratch.positions, hidden)?;
        }
        for ((block, added), cache) in base.blocks.iter().zip(&self.additions.blocks).zip(caches) {
            base.attend(block, added, cache, &segments, size, scratch)?;
            base.feed_forward(block, added, size, scratch)?;
        }
        Ok(&scratch.hidden[..size * width])
    }
}

impl Base {
    fn attend(
        &self,
        block: &PackedBlock,
        added: &BlockAdditions,
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
        added.projections.add(normed, projections, size, &mut scratch.additions)?;
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
            scale: self.architecture.attention_scale(),
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
        added.attention_output.add(attended, update, size, &mut scratch.additions)?;
        if let Some(bottleneck) = &added.after_attention {
            bottleneck.change(hidden, update, size, &mut scratch.additions)?;
        }
        add_assign(hidden, update)
    }

    fn feed_forward(
        &self,
        block: &PackedBlock,
        added: &BlockAdditions,
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
                added.feed_forward_in.add(normed, inner, size, &mut scratch.additions)?;
                match activation {
                    Activation::GeluTanh => gelu_tanh(inner),
                    Activation::GeluErf => gelu_erf(inner),
                }
                down.forward_into(inner, size, update)?;
                added.feed_forward_out.add(inner, update, size, &mut scratch.additions)?;
            }
            PackedFeedForward::SwiGlu { gate_up, down } => {
                let both = room(&mut scratch.inner, size * 2 * inner_width);
                gate_up.forward_into(normed, size, both)?;
                added.feed_forward_in.add(normed, both, size, &mut scratch.additions)?;
                let columns = |offset| Rows::columns(both, 2 * inner_width, offset);
                let gated = room(&mut scratch.gated, size * inner_width);
                silu_mul(columns(0), columns(inner_width), inner_width, gated)?;
                down.forward_into(gated, size, update)?;
                added.feed_forward_out.add(gated, update, size, &mut scratch.additions)?;
            }
        }
        if let Some(bottleneck) = &added.after_feed_forward {
            bottleneck.change(hidden, update, size, &mut scratch.additions)?;
        }
        add_assign(hidden, update)
    }
}
