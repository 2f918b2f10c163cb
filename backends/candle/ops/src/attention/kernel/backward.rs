//! The gradients of attention.

use rayon::prelude::*;

use super::{Heads, Inputs, Place, Scratch, blocks, probabilities, room};
use crate::attention::AttentionShape;
use crate::buffer::{ROWS, SharedBuffer, build};
use crate::matmul::{Matrix, Old, Threads, multiply};
use crate::rope::{Rope, Turn};
use crate::simd::{self, vectorised};

/// Where the gradients of queries, keys and values go: `N` buffers of so many columns each; and
/// whether the prefix's is wanted too.
pub(in crate::attention) struct Places<const N: usize> {
    columns: [usize; N],
    /// Of queries, keys and values.
    own: Option<[Place; 3]>,
    prefix: bool,
}

impl Places<3> {
    /// A matrix for each.
    pub(in crate::attention) fn apart(shape: &AttentionShape) -> Self {
        let columns = [shape.query_width(), shape.key_width(), shape.key_width()];
        let own = [0, 1, 2].map(|buffer| Place { buffer, row_stride: columns[buffer], offset: 0 });
        Self { columns, own: Some(own), prefix: false }
    }
}

impl Places<1> {
    /// One matrix, side by side.
    pub(in crate::attention) fn together(shape: &AttentionShape) -> Self {
        let (query_width, key_width) = (shape.query_width(), shape.key_width());
        let columns = shape.fused_width();
        let own = [0, query_width, query_width + key_width].map(|offset| Place {
            buffer: 0,
            row_stride: columns,
            offset,
        });
        Self { columns: [columns], own: Some(own), prefix: false }
    }

    /// The prefix's as well, if `wanted`.
    pub(in crate::attention) fn and_prefix(self, wanted: bool) -> Self {
        Self { prefix: wanted, ..self }
    }
}

impl Places<0> {
    /// The prefix's gradient alone.
    pub(in crate::attention) fn only_prefix() -> Self {
        Self { columns: [], own: None, prefix: true }
    }
}

/// What [`backward`] computes.
pub(in crate::attention) struct Gradients<const N: usize> {
    /// The buffers that [`Places`] asks for.
    pub(in crate::attention) own: [Vec<f32>; N],
    /// `(prefix rows, 2 kv_heads * head_dim)`; empty where it is not wanted.
    pub(in crate::attention) prefix: Vec<f32>,
}

vectorised! {
    /// Turns the gradient of the probabilities into that of the unscaled scores, in place:
    /// `scale p (dp - sum(p dp))`.
    fn softmax_gradient(to_scores: &mut [f32], probabilities: &[f32], seen: usize, scale: f32) {
        let rows = to_scores.chunks_exact_mut(seen);
        for (to_scores, probabilities) in rows.zip(probabilities.chunks_exact(seen)) {
            let mean = simd::dot(to_scores, probabilities);
            for (to_score, &probability) in to_scores.iter_mut().zip(probabilities) {
                *to_score = scale * probability * (*to_score - mean);
            }
        }
    }
}

/// The gradient before the rotation, in place of that after it.
fn turn_back(gradient: &mut [f32], rope: Option<&Rope>, head_dim: usize, first: usize) {
    if let Some(rope) = rope {
        for (row, gradient) in gradient.chunks_exact_mut(head_dim).enumerate() {
            rope.rotate(gradient, first + row, Turn::Back);
        }
    }
}

/// The gradients at the given places.
pub(in crate::attention) fn backward<const N: usize>(
    inputs: &Inputs<'_>,
    gradient: &[f32],
    places: Places<N>,
) -> Gradients<N> {
    let AttentionShape { batch, time, heads, head_dim, .. } = *inputs.shape;
    let (shape, first) = (inputs.shape, inputs.first());
    let outputs = places.columns.map(|columns| SharedBuffer::new(shape.tokens() * columns));
    let gradient = Heads { data: gradient, row_stride: shape.query_width(), offset: 0 };
    // Heads that share keys and values run apart, and sequences that share a prefix: each has its
    // own sums, added up in order below.
    let grouped = places.own.is_some() && shape.group() > 1;
    let partial_len = if grouped { shape.tokens() * shape.query_width() } else { 0 };
    let partials = [SharedBuffer::new(partial_len), SharedBuffer::new(partial_len)];
    let partial = Place { buffer: 0, row_stride: shape.query_width(), offset: 0 };
    let prefix_rows = if places.prefix { first } else { 0 };
    let prefix_partials = SharedBuffer::new(batch * prefix_rows * 2 * shape.query_width());
    (0..batch * heads).into_par_iter().for_each_init(Scratch::default, |scratch, task| {
        let (sequence, head) = (task / heads, task % heads);
        let write = |output: &SharedBuffer, place: Place, row: usize, rows: &[f32]| {
            for (index, values) in rows.chunks_exact(head_dim).enumerate() {
                // SAFETY: a task writes only the columns of its own head in the rows of its
                // sequence; queries, keys and values have different buffers or columns.
                unsafe { output.write(place.of(row + index, head, head_dim), values) }
            }
        };
        let token = sequence * time;
        let take_queries = places.own.map(|[place, ..]| {
            let (write, outputs) = (&write, &outputs);
            move |position: usize, rows: &[f32]| {
                write(&outputs[place.buffer], place, token + position, rows);
            }
        });
        backward_head(inputs, gradient, scratch, sequence, head, take_queries);
        for (part, sums) in [&scratch.to_k, &scratch.to_v].into_iter().enumerate() {
            let (to_prefix, to_own) = sums.split_at(first * head_dim);
            let (columns, offset) = (2 * shape.query_width(), part * shape.query_width());
            let place = Place { buffer: 0, row_stride: columns, offset };
            let row = sequence * prefix_rows;
            write(&prefix_partials, place, row, &to_prefix[..prefix_rows * head_dim]);
            if let Some(places) = places.own {
                let (place, to_own) = (places[1 + part], &to_own[..time * head_dim]);
                if grouped {
                    write(&partials[part], partial, token, to_own);
                } else {
                    write(&outputs[place.buffer], place, token, to_own);
                }
            }
        }
    });
    // SAFETY: where there is anything to them, every head has written all its rows.
    let [to_k, to_v] = partials.map(|partial| unsafe { partial.finish() });
    if let Some([_, k, v]) = places.own.filter(|_| grouped) {
        add_up_groups(shape, &to_k, &outputs[k.buffer], k);
        add_up_groups(shape, &to_v, &outputs[v.buffer], v);
    }
    // SAFETY: as above.
    let prefix_partials = unsafe { prefix_partials.finish() };
    Gradients {
        // SAFETY: all heads of queries, keys and values were written, in all rows.
        own: outputs.map(|output| unsafe { output.finish() }),
        prefix: add_up_sequences(shape, &prefix_partials, prefix_rows),
    }
}

/// Sums the partial gradients of the heads that share a key-value head, in the heads' order.
fn add_up_groups(shape: &AttentionShape, partials: &[f32], output: &SharedBuffer, place: Place) {
    let width = shape.query_width();
    let sums =
        build(shape.tokens() * shape.key_width(), ROWS * shape.key_width(), |index, piece| {
            add_heads(shape, piece, &partials[index * ROWS * width..]);
        });
    for (token, row) in sums.chunks_exact(shape.key_width()).enumerate() {
        // SAFETY: this thread alone writes here, to these columns.
        unsafe { output.write(token * place.row_stride + place.offset, row) }
    }
}

/// Sums the partial gradients of a prefix of so many rows over the sequences, in their order, and
/// over the heads that share a key-value head, in theirs.
fn add_up_sequences(shape: &AttentionShape, partials: &[f32], rows: usize) -> Vec<f32> {
    let (width, partial_width) = (2 * shape.key_width(), 2 * shape.query_width());
    build(rows * width, width, |row, sums| {
        for sequence in partials.chunks_exact(rows * partial_width) {
            add_heads(shape, sums, &sequence[row * partial_width..]);
        }
    })
}

/// Adds to each head of `sums` all heads of `partials` that share it, in order.
fn add_heads(shape: &AttentionShape, sums: &mut [f32], partials: &[f32]) {
    let groups = partials.chunks_exact(shape.group() * shape.head_dim);
    for (sum, group) in sums.chunks_exact_mut(shape.head_dim).zip(groups) {
        for partial in group.chunks_exact(shape.head_dim) {
            for (sum, &partial) in sum.iter_mut().zip(partial) {
                *sum += partial;
            }
        }
    }
}

/// Hands the gradient of the queries to `take_queries`, blocks of rows with the first one's place
/// in the sequence, and leaves those of keys and values in the scratch, the prefix's rows first.
/// Without `take_queries`, the prefix's alone.
fn backward_head(
    inputs: &Inputs<'_>,
    gradient: Heads<'_>,
    scratch: &mut Scratch,
    sequence: usize,
    head: usize,
    take_queries: Option<impl Fn(usize, &[f32])>,
) {
    let AttentionShape { time, head_dim, scale, .. } = *inputs.shape;
    let (rope, first) = (inputs.shape.rope.as_ref(), inputs.first());
    let [q, k, v] = inputs.head(&mut scratch.copies, sequence, head);
    let gradient = gradient.view((sequence * time, time), head, head_dim);
    let wanted = if take_queries.is_some() { first + time } else { first };
    let to_k = room(&mut scratch.to_k, wanted * head_dim);
    let to_v = room(&mut scratch.to_v, wanted * head_dim);
    // The last block sees all keys and so begins all sums; the others add to them.
    let mut old = Old::Overwrite;
    for (start, rows) in blocks(time).rev() {
        let seen = first + start + rows;
        let (q, gradient) = (q.rows(start, rows), gradient.rows(start, rows));
        let (k, v) = (k.rows(0, seen), v.rows(0, seen));
        let p = probabilities(&mut scratch.probabilities, q, k, scale, (first + start, rows));
        let to_scores = room(&mut scratch.to_scores, rows * seen);
        multiply(to_scores, Old::Overwrite, 1.0, gradient, v.t(), Threads::One);
        softmax_gradient(to_scores, p, seen, scale);
        let (p, to_scores) = (Matrix::new(p, rows, seen), Matrix::new(to_scores, rows, seen));
        if let Some(take) = &take_queries {
            let to_q = room(&mut scratch.block, rows * head_dim);
            multiply(to_q, Old::Overwrite, 1.0, to_scores, k, Threads::One);
            turn_back(to_q, rope, head_dim, first + start);
            take(start, to_q);
        }
        let keys = wanted.min(seen);
        multiply(to_k, old, 1.0, to_scores.columns(keys).t(), q, Threads::One);
        multiply(to_v, old, 1.0, p.columns(keys).t(), gradient, Threads::One);
        old = Old::Keep;
    }
    if take_queries.is_some() {
        turn_back(&mut to_k[first * head_dim..], rope, head_dim, first);
    }
}
