//! Causal attention over a key-value cache.

use std::cell::RefCell;

use candle_core::{Result, Tensor, bail};

use super::kv_cache::{KvCache, Segment};
use super::parallel::{self, Block, Shared};
use super::product::{PANEL, Product, Start};
use super::reduce;
use super::rows::{Rows, check_dense};
use super::simd::{Isa, Kernel, LANES, Simd};
use super::tensor::with_values;
use crate::math::exp;

/// Queries (tokens times the heads that share keys) computed together.
const TILE_QUERIES: usize = 12;

thread_local! {
    /// Queries, scores, outputs and sums of one tile.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` consecutive query heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Factor of the scores, mostly `1 / sqrt(head_dim)`.
    pub scale: f32,
}

/// Appends the keys and values of new tokens to the cache, then lets each new token attend to
/// positions 0 to its own.
///
/// The tokens are the rows of `q` (tokens, heads * head_dim), `k` and `v` (tokens, kv_heads *
/// head_dim), segment after segment. Writes (tokens, heads * head_dim) to `out`. A token's output
/// has the same bits whether its sequence comes at once or token by token, and whatever else is in
/// the call.
///
/// # Errors
///
/// If the shapes disagree, a slot has two segments, or a segment does not fit its slot (see
/// [`KvCache::append`]). The cache is then unchanged.
pub fn cached_attention(
    q: Rows<'_>,
    k: Rows<'_>,
    v: Rows<'_>,
    cache: &mut KvCache,
    segments: &[Segment],
    shape: AttentionShape,
    out: &mut [f32],
) -> Result<()> {
    let AttentionShape { heads, kv_heads, head_dim, .. } = shape;
    if (kv_heads, head_dim) != (cache.kv_heads(), cache.head_dim()) {
        bail!(
            "cached attention: {kv_heads} heads of {head_dim}, a cache of {} heads of {}",
            cache.kv_heads(),
            cache.head_dim()
        );
    }
    if heads == 0 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        bail!("cached attention: {heads} query heads do not evenly share {kv_heads} key heads");
    }
    let tokens = segments.iter().map(|segment| segment.len).sum();
    q.check("cached attention: queries", tokens, heads * head_dim)?;
    check_dense("cached attention: output", out, tokens, heads * head_dim)?;
    cache.append_segments(k, v, segments)?;

    let group = heads / kv_heads;
    let (tiles, cost) = tiles(segments, (TILE_QUERIES / group).max(1), heads * head_dim);
    let attention = Attention { isa: Isa::detect(), q, cache, shape, out: Shared::new(out) };
    parallel::for_each(tiles.len() * kv_heads, cost, |task| {
        SCRATCH.with_borrow_mut(|scratch| {
            attention.attend(&tiles[task / kv_heads], task % kv_heads, scratch);
        });
    });
    Ok(())
}

/// [`cached_attention`] of tensors of `f32` on the CPU: `q` of (tokens, heads * head_dim), `k` and
/// `v` of (tokens, kv_heads * head_dim), to (tokens, heads * head_dim). Keeps no gradient.
///
/// # Errors
///
/// As [`cached_attention`].
pub fn cached_attention_tensor(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    cache: &mut KvCache,
    segments: &[Segment],
    shape: AttentionShape,
) -> Result<Tensor> {
    let (tokens, width) = q.dims2()?;
    let (_, kv_width) = k.dims2()?;
    if k.dims() != v.dims() || k.dims() != [tokens, shape.kv_heads * shape.head_dim] {
        bail!(
            "cached attention: queries {:?}, keys {:?}, values {:?} with {shape:?}",
            q.dims(),
            k.dims(),
            v.dims()
        );
    }
    let mut out = vec![0.0; tokens * width];
    with_values(q, |q| {
        with_values(k, |k| {
            with_values(v, |v| {
                let (k, v) = (Rows::dense(k, kv_width), Rows::dense(v, kv_width));
                cached_attention(Rows::dense(q, width), k, v, cache, segments, shape, &mut out)
            })
        })
    })?;
    Tensor::from_vec(out, (tokens, width), q.device())
}

/// Consecutive tokens of one segment.
struct Tile {
    slot: usize,
    /// Row of the first token in the batch.
    row: usize,
    /// Position of the first token.
    position: usize,
    tokens: usize,
}

/// The segments in tiles of at most `tokens`, and the multiply-adds of all.
fn tiles(segments: &[Segment], tokens: usize, width: usize) -> (Vec<Tile>, usize) {
    let (mut tiles, mut cost, mut row) = (Vec::with_capacity(segments.len()), 0, 0);
    for &Segment { slot, start, len } in segments {
        for first in (0..len).step_by(tokens) {
            let tokens = tokens.min(len - first);
            let position = start + first;
            tiles.push(Tile { slot, row: row + first, position, tokens });
            cost += 2 * tokens * (position + tokens) * width;
        }
        row += len;
    }
    (tiles, cost)
}

struct Attention<'a> {
    isa: Isa,
    q: Rows<'a>,
    cache: &'a KvCache,
    shape: AttentionShape,
    out: Shared<'a>,
}

impl Attention<'_> {
    /// The outputs of one tile for the query heads that share `kv_head`.
    fn attend(&self, tile: &Tile, kv_head: usize, scratch: &mut Vec<f32>) {
        let AttentionShape { heads, kv_heads, head_dim, scale } = self.shape;
        let group = heads / kv_heads;
        let padded = head_dim.next_multiple_of(LANES);
        let queries = tile.tokens * group;
        // Scores of the last token, in whole vectors.
        let across = (tile.position + tile.tokens).next_multiple_of(LANES);
        let size = queries * (head_dim + across + padded + 1);
        if scratch.len() < size {
            scratch.resize(size, 0.0);
        }
        let (q, rest) = scratch.split_at_mut(queries * head_dim);
        let (scores, rest) = rest.split_at_mut(queries * across);
        let (outputs, rest) = rest.split_at_mut(queries * padded);
        let sums = &mut rest[..queries];

        // The heads of a group are neighbours: their queries are one run of a token's row.
        let (width, run) = (heads * head_dim, group * head_dim);
        for (token, q) in q.chunks_exact_mut(run.max(1)).enumerate() {
            let row = self.q.row(tile.row + token, width);
            for (to, from) in q.iter_mut().zip(&row[kv_head * run..]) {
                *to = from * scale;
            }
        }
        let keys = self.cache.keys(tile.slot, kv_head);
        for first in (0..across).step_by(PANEL) {
            let columns = PANEL.min(across - first);
            Product {
                x: q,
                x_stride: head_dim,
                depth: head_dim,
                w: &keys[first * head_dim..],
                w_stride: PANEL,
                start: Start::Zero,
                out: Block::new(&mut scores[first..], queries, columns, across),
            }
            .compute(self.isa);
        }

        // All queries see the positions up to the first token, each token some more: a later key
        // must not reach an earlier query, not even times zero.
        let common = tile.position + 1;
        let values = self.cache.values(tile.slot, kv_head);
        for (query, sum) in sums.iter_mut().enumerate() {
            let scores = &mut scores[query * across..][..across];
            *sum = self.isa.run(Softmax { scores, count: common + query / group });
        }
        Product {
            x: scores,
            x_stride: across,
            depth: common,
            w: values,
            w_stride: padded,
            start: Start::Zero,
            out: Block::new(outputs, queries, padded, padded),
        }
        .compute(self.isa);
        for token in 1..tile.tokens {
            Product {
                x: &scores[token * group * across + common..],
                x_stride: across,
                depth: token,
                w: &values[common * padded..],
                w_stride: padded,
                start: Start::Resume,
                out: Block::new(&mut outputs[token * group * padded..], group, padded, padded),
            }
            .compute(self.isa);
        }

        for (query, sum) in sums.iter().enumerate() {
            let (token, head) = (query / group, kv_head * group + query % group);
            let start = (tile.row + token) * width + head * head_dim;
            // SAFETY: one head of one token belongs to one tile and one key head.
            let out = unsafe { self.out.part(start, head_dim) };
            for (to, from) in out.iter_mut().zip(&outputs[query * padded..]) {
                *to = from / sum;
            }
        }
    }
}

/// Turns the first `count` scores to `exp(score - max)`, the others to zero; gives their sum.
struct Softmax<'a> {
    /// In whole vectors.
    scores: &'a mut [f32],
    count: usize,
}

impl Kernel for Softmax<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f32 {
        let (scores, _) = self.scores.as_chunks_mut::<LANES>();
        let full = self.count / LANES;
        let greatest = reduce::max(&scores.as_flattened()[..self.count]);
        let used = self.count.div_ceil(LANES);
        for block in &mut scores[..used] {
            for score in block {
                *score = exp(*score - greatest);
            }
        }
        if used > full {
            scores[full][self.count % LANES..].fill(0.0);
        }
        reduce::sum(scores[..used].as_flattened(), |weight| weight)
    }
}
