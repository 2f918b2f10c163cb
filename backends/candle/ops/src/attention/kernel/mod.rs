//! Blocks of queries against the keys that they may see.

mod backward;
mod forward;

use super::AttentionShape;
use crate::math::exp;
use crate::matmul::{Matrix, Old, Threads, multiply};
use crate::rope::{Rope, Turn};
use crate::simd::{self, vectorised};
pub(super) use backward::{Gradients, Places, backward};
pub(super) use forward::forward;

/// Queries at a time. Half a block's width per query is computed above the diagonal and thrown
/// away; smaller blocks would make the products too thin.
const BLOCK: usize = 64;

/// Heads side by side in the rows of a matrix.
#[derive(Clone, Copy)]
pub(super) struct Heads<'a> {
    pub(super) data: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) offset: usize,
}

impl<'a> Heads<'a> {
    /// One head of `count` rows from `first` on.
    fn view(&self, (first, count): (usize, usize), head: usize, head_dim: usize) -> Matrix<'a> {
        let start = first * self.row_stride + self.offset + head * head_dim;
        Matrix::strided(&self.data[start..], count, head_dim, self.row_stride)
    }
}

/// Keys and values that every sequence sees before its own, as they are: nothing turns them.
#[derive(Clone, Copy)]
pub(super) struct Prefix<'a> {
    pub(super) rows: usize,
    pub(super) k: Heads<'a>,
    pub(super) v: Heads<'a>,
}

pub(super) struct Inputs<'a> {
    pub(super) shape: &'a AttentionShape,
    pub(super) q: Heads<'a>,
    pub(super) k: Heads<'a>,
    pub(super) v: Heads<'a>,
    pub(super) prefix: Option<Prefix<'a>>,
}

impl<'a> Inputs<'a> {
    /// Position of each sequence's first token: the rows of the prefix.
    fn first(&self) -> usize {
        self.prefix.map_or(0, |prefix| prefix.rows)
    }

    /// What one head of one sequence computes with: queries, `(time, head_dim)`, then keys and
    /// values, both `(first + time, head_dim)`.
    fn head<'b>(&self, copies: &'b mut Copies, sequence: usize, head: usize) -> [Matrix<'b>; 3]
    where
        'a: 'b,
    {
        let AttentionShape { time, head_dim, .. } = *self.shape;
        let rope = self.shape.rope.as_ref().map(|rope| (rope, self.first()));
        let kv_head = head / self.shape.group();
        let own = |heads: Heads<'a>, head| heads.view((sequence * time, time), head, head_dim);
        let before = |heads: fn(&Prefix<'a>) -> Heads<'a>| {
            let prefix = self.prefix.as_ref()?;
            Some(heads(prefix).view((0, prefix.rows), kv_head, head_dim))
        };
        [
            joined(None, own(self.q, head), rope, &mut copies.q),
            joined(before(|prefix| prefix.k), own(self.k, kv_head), rope, &mut copies.k),
            joined(before(|prefix| prefix.v), own(self.v, kv_head), None, &mut copies.v),
        ]
    }
}

/// Where the heads of a result, or of one of the gradients, go.
#[derive(Clone, Copy)]
struct Place {
    buffer: usize,
    row_stride: usize,
    offset: usize,
}

impl Place {
    /// The first element of a head in a row.
    fn of(self, row: usize, head: usize, head_dim: usize) -> usize {
        row * self.row_stride + self.offset + head * head_dim
    }
}

/// Heads that are not used where they lie.
#[derive(Default)]
struct Copies {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

/// What a thread needs besides inputs and outputs. Small against the inputs: one block's scores and
/// a few heads.
#[derive(Default)]
struct Scratch {
    copies: Copies,
    probabilities: Vec<f32>,
    to_scores: Vec<f32>,
    block: Vec<f32>,
    to_k: Vec<f32>,
    to_v: Vec<f32>,
}

/// At least `len` floats of a scratch buffer, with whatever is in them.
fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// The head where it lies, if there is neither a prefix nor a rotation; else a copy of the prefix's
/// rows and of the head's after them, turned to the positions from the given one on.
fn joined<'a>(
    prefix: Option<Matrix<'a>>,
    own: Matrix<'a>,
    rope: Option<(&Rope, usize)>,
    copy: &'a mut Vec<f32>,
) -> Matrix<'a> {
    if prefix.is_none() && rope.is_none() {
        return own;
    }
    let (time, head_dim) = own.size();
    let before = prefix.map_or(0, |prefix| prefix.size().0);
    let copy = room(copy, (before + time) * head_dim);
    let (to_prefix, to_own) = copy.split_at_mut(before * head_dim);
    if let Some(prefix) = prefix {
        for (row, to) in to_prefix.chunks_exact_mut(head_dim).enumerate() {
            to.copy_from_slice(prefix.row(row));
        }
    }
    for (row, to) in to_own.chunks_exact_mut(head_dim).enumerate() {
        to.copy_from_slice(own.row(row));
        if let Some((rope, first)) = rope {
            rope.rotate(to, first + row, Turn::Forward);
        }
    }
    Matrix::new(copy, before + time, head_dim)
}

/// The probabilities of the `rows` queries from position `start` on, over all keys up to the last
/// of them.
fn probabilities<'a>(
    buffer: &'a mut Vec<f32>,
    q: Matrix<'_>,
    k: Matrix<'_>,
    scale: f32,
    (start, rows): (usize, usize),
) -> &'a mut [f32] {
    let seen = start + rows;
    let scores = room(buffer, rows * seen);
    multiply(scores, Old::Overwrite, scale, q, k.t(), Threads::One);
    causal_softmax(scores, start, seen);
    scores
}

vectorised! {
    /// Softmax of each row over the keys that its query sees, zero for the others. Row `i` is the
    /// query at position `start + i`.
    fn causal_softmax(scores: &mut [f32], start: usize, seen: usize) {
        for (row, scores) in scores.chunks_exact_mut(seen).enumerate() {
            let (scores, unseen) = scores.split_at_mut(start + row + 1);
            let max = simd::max(scores);
            for score in scores.iter_mut() {
                *score = exp(*score - max);
            }
            let factor = 1.0 / simd::sum_of(scores, |exponential| exponential);
            for score in scores.iter_mut() {
                *score *= factor;
            }
            unseen.fill(0.0);
        }
    }
}

/// Blocks of queries as (first position, count).
fn blocks(time: usize) -> impl DoubleEndedIterator<Item = (usize, usize)> {
    (0..time.div_ceil(BLOCK)).map(move |block| {
        let start = block * BLOCK;
        (start, BLOCK.min(time - start))
    })
}
