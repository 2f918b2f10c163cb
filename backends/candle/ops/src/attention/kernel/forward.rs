//! The result of attention.

use rayon::prelude::*;

use super::{Inputs, Place, Scratch, blocks, probabilities, room};
use crate::buffer::SharedBuffer;
use crate::matmul::{Matrix, Old, Threads, multiply};

pub(in crate::attention) fn forward(inputs: &Inputs<'_>) -> Vec<f32> {
    let shape = inputs.shape;
    let output = SharedBuffer::new(shape.tokens() * shape.query_width());
    (0..shape.batch * shape.heads).into_par_iter().for_each_init(
        Scratch::default,
        |scratch, task| {
            let (sequence, head) = (task / shape.heads, task % shape.heads);
            let place = Place { buffer: 0, row_stride: shape.query_width(), offset: 0 };
            forward_head(inputs, scratch, sequence, head, |position, row| {
                let start = place.of(sequence * shape.time + position, head, shape.head_dim);
                // SAFETY: a task writes only the columns of its own head in the rows of its sequence.
                unsafe { output.write(start, row) }
            });
        },
    );
    // SAFETY: the tasks cover all sequences and heads, and each writes all its positions.
    unsafe { output.finish() }
}

fn forward_head(
    inputs: &Inputs<'_>,
    scratch: &mut Scratch,
    sequence: usize,
    head: usize,
    write: impl Fn(usize, &[f32]),
) {
    let (shape, first) = (inputs.shape, inputs.first());
    let [q, k, v] = inputs.head(&mut scratch.copies, sequence, head);
    for (start, rows) in blocks(shape.time) {
        let seen = first + start + rows;
        let (q, k) = (q.rows(start, rows), k.rows(0, seen));
        let p = probabilities(&mut scratch.probabilities, q, k, shape.scale, (first + start, rows));
        let output = room(&mut scratch.block, rows * shape.head_dim);
        let p = Matrix::new(p, rows, seen);
        multiply(output, Old::Overwrite, 1.0, p, v.rows(0, seen), Threads::One);
        for (row, output) in output.chunks_exact(shape.head_dim).enumerate() {
            write(start + row, output);
        }
    }
}
