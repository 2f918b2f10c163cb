//! The gradients of attention.

use rayon::prelude::*;

use super::{Heads, Inputs, Place, Scratch, blocks, probabilities, room, rotated};
use crate::attention::AttentionShape;
use crate::buffer::{ROWS, SharedBuffer, build};
use crate::matmul::{Matrix, Old, Threads, multiply};
use crate::rope::{Rope, Turn};
use crate::simd::{self, vectorised};

/// Where the gradients of queries, keys and values go: `N` buffers of so many columns each.
pub(in crate::attention) struct Places<const N: usize> {
    columns: [usize; N],
    q: Place,
    k: Place,
    v: Place,
}

impl Places<3> {
    /// A matrix for each.
    pub(in crate::attention) fn apart(shape: &AttentionShape) -> Self {
        let columns = [shape.query_width(), shape.key_width(), shape.key_width()];
        let place = |buffer: usize| Place { buffer, row_stride: columns[buffer], offset: 0 };
        Self { columns, q: place(0), k: place(1), v: place(2) }
    }
}

impl Places<1> {
    /// One matrix, side by side.
    pub(in crate::attention) fn together(shape: &AttentionShape) -> Self {
        let (query_width, key_width) = (shape.query_width(), shape.key_width());
        let columns = query_width + 2 * key_width;
        let place = |offset: usize| Place { buffer: 0, row_stride: columns, offset };
        Self {
            columns: [columns],
            q: place(0),
            k: place(query_width),
            v: place(query_width + key_width),
        }
    }
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

/// The gradients of queries, keys and values at the given places.
pub(in crate::attention) fn backward<const N: usize>(
    inputs: &Inputs<'_>,
    gradient: &[f32],
    places: Places<N>,
) -> [Vec<f32>; N] {
    let shape = inputs.shape;
    let outputs = places.columns.map(|columns| SharedBuffer::new(shape.tokens() * columns));
    let gradient = Heads { data: gradient, row_stride: shape.query_width(), offset: 0 };
    // Heads that share keys and values run apart: each has its own sums, added up in order below.
    let shared = shape.group() > 1;
    let partial_len = if shared { shape.tokens() * shape.query_width() } else { 0 };
    let partials = [SharedBuffer::new(partial_len), SharedBuffer::new(partial_len)];
    let partial = Place { buffer: 0, row_stride: shape.query_width(), offset: 0 };
    (0..shape.batch * shape.heads).into_par_iter().for_each_init(
        Scratch::default,
        |scratch, task| {
            let (sequence, head) = (task / shape.heads, task % shape.heads);
            let write = |output: &SharedBuffer, place: Place, position: usize, rows: &[f32]| {
                for (row, values) in rows.chunks_exact(shape.head_dim).enumerate() {
                    let start = place.of(shape, sequence, position + row, head);
                    // SAFETY: a task writes only the columns of its own head in the rows of its
                    // sequence; queries, keys and values have different buffers or columns.
                    unsafe { output.write(start, values) }
                }
            };
            backward_head(inputs, gradient, scratch, sequence, head, |position, rows| {
                write(&outputs[places.q.buffer], places.q, position, rows);
            });
            let len = shape.time * shape.head_dim;
            for (values, place, partial_sums) in
                [(&scratch.to_k, places.k, &partials[0]), (&scratch.to_v, places.v, &partials[1])]
            {
                if shared {
                    write(partial_sums, partial, 0, &values[..len]);
                } else {
                    write(&outputs[place.buffer], place, 0, &values[..len]);
                }
            }
        },
    );
    // SAFETY: where there is anything to them, every head has written all its rows.
    let [to_k, to_v] = partials.map(|partial| unsafe { partial.finish() });
    if shared {
        add_up_groups(shape, &to_k, &outputs[places.k.buffer], places.k);
        add_up_groups(shape, &to_v, &outputs[places.v.buffer], places.v);
    }
    // SAFETY: all heads of queries, keys and values were written, in all rows.
    outputs.map(|output| unsafe { output.finish() })
}

/// Sums the partial gradients of the heads that share a key-value head, in the heads' order.
fn add_up_groups(shape: &AttentionShape, partials: &[f32], output: &SharedBuffer, place: Place) {
    let (width, group) = (shape.query_width(), shape.group() * shape.head_dim);
    let sums =
        build(shape.tokens() * shape.key_width(), ROWS * shape.key_width(), |index, piece| {
            let rows = &partials[index * ROWS * width..];
            let groups = rows.chunks_exact(group);
            for (sum, group) in piece.chunks_exact_mut(shape.head_dim).zip(groups) {
                for partial in group.chunks_exact(shape.head_dim) {
                    for (sum, &partial) in sum.iter_mut().zip(partial) {
                        *sum += partial;
                    }
                }
            }
        });
    for (token, row) in sums.chunks_exact(shape.key_width()).enumerate() {
        // SAFETY: this thread alone writes here, to these columns.
        unsafe { output.write(token * place.row_stride + place.offset, row) }
    }
}

/// Hands the gradient of the queries to `write`, blocks of rows with the first one's position, and
/// leaves those of keys and values in the scratch.
fn backward_head(
    inputs: &Inputs<'_>,
    gradient: Heads<'_>,
    scratch: &mut Scratch,
    sequence: usize,
    head: usize,
    write: impl Fn(usize, &[f32]),
) {
    let shape = inputs.shape;
    let (size, kv_head) = ((shape.time, shape.head_dim), head / shape.group());
    let rope = shape.rope.as_ref();
    let q = rotated(inputs.q.view(shape, sequence, head), rope, size, &mut scratch.q);
    let k = rotated(inputs.k.view(shape, sequence, kv_head), rope, size, &mut scratch.k);
    let v = inputs.v.view(shape, sequence, kv_head);
    let gradient = gradient.view(shape, sequence, head);
    let to_k = room(&mut scratch.to_k, shape.time * shape.head_dim);
    let to_v = room(&mut scratch.to_v, shape.time * shape.head_dim);
    // The last block sees all keys and so begins all sums; the others add to them.
    let mut old = Old::Overwrite;
    for (start, rows) in blocks(shape.time).rev() {
        let seen = start + rows;
        let (q, gradient) = (q.rows(start, rows), gradient.rows(start, rows));
        let (k, v) = (k.rows(0, seen), v.rows(0, seen));
        let p = probabilities(&mut scratch.probabilities, q, k, shape.scale, (start, rows));
        let to_scores = room(&mut scratch.to_scores, rows * seen);
        multiply(to_scores, Old::Overwrite, 1.0, gradient, v.t(), Threads::One);
        softmax_gradient(to_scores, p, seen, shape.scale);
        let (p, to_scores) = (Matrix::new(p, rows, seen), Matrix::new(to_scores, rows, seen));
        let to_q = room(&mut scratch.block, rows * shape.head_dim);
        multiply(to_q, Old::Overwrite, 1.0, to_scores, k, Threads::One);
        turn_back(to_q, rope, shape.head_dim, start);
        write(start, to_q);
        multiply(to_k, old, 1.0, to_scores.t(), q, Threads::One);
        multiply(to_v, old, 1.0, p.t(), gradient, Threads::One);
        old = Old::Keep;
    }
    turn_back(to_k, rope, shape.head_dim, 0);
}
