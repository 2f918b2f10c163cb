//! Blocks of queries against the keys that they may see.

mod backward;
mod forward;

use super::AttentionShape;
use crate::math::exp;
use crate::matmul::{Matrix, Old, Threads, multiply};
use crate::rope::{Rope, Turn};
use crate::simd::{self, vectorised};
pub(super) use backward::{Places, backward};
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
    /// One head of one sequence, `(time, head_dim)`.
    fn view(&self, shape: &AttentionShape, sequence: usize, head: usize) -> Matrix<'a> {
        let start = sequence * shape.time * self.row_stride + self.offset + head * shape.head_dim;
        Matrix::strided(&self.data[start..], shape.time, shape.head_dim, self.row_stride)
    }
}

pub(super) struct Inputs<'a> {
    pub(super) shape: &'a AttentionShape,
    pub(super) q: Heads<'a>,
    pub(super) k: Heads<'a>,
    pub(super) v: Heads<'a>,
}

/// Where the heads of a result, or of one of the gradients, go.
#[derive(Clone, Copy)]
struct Place {
    buffer: usize,
    row_stride: usize,
    offset: usize,
}

impl Place {
    /// The first element of a head's row.
    fn of(self, shape: &AttentionShape, sequence: usize, position: usize, head: usize) -> usize {
        (sequence * shape.time + position) * self.row_stride + self.offset + head * shape.head_dim
    }
}

/// What a thread needs besides inputs and outputs. Small against the inputs: one block's scores and
/// a few heads.
#[derive(Default)]
struct Scratch {
    q: Vec<f32>,
    k: Vec<f32>,
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

/// The head as it is, or a rotated copy.
fn rotated<'a>(
    head: Matrix<'a>,
    rope: Option<&Rope>,
    (time, head_dim): (usize, usize),
    copy: &'a mut Vec<f32>,
) -> Matrix<'a> {
    let Some(rope) = rope else {
        return head;
    };
    let copy = room(copy, time * head_dim);
    for (position, row) in copy.chunks_exact_mut(head_dim).enumerate() {
        row.copy_from_slice(head.row(position));
        rope.rotate(row, position, Turn::Forward);
    }
    Matrix::new(copy, time, head_dim)
}

/// The probabilities of the `rows` queries from `start` on, over all keys up to the last of them.
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
