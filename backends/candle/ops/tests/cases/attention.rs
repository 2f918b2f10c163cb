//! Attention, with and without a prefix.

use candle_core::Tensor;
use candle_fused_ops::{self as fused, AttentionShape, Rope, composed};

use super::{Case, case, tensors};

fn shape(
    (batch, time): (usize, usize),
    (heads, kv_heads): (usize, usize),
    head_dim: usize,
    rotary_dim: Option<usize>,
) -> AttentionShape {
    let rope = rotary_dim.map(|dim| Rope::new(100.0, dim, 150).unwrap());
    AttentionShape { batch, time, heads, kv_heads, head_dim, scale: 0.7, rope }
}

pub(super) fn plain() -> Vec<Case> {
    let shapes = [
        ("one token", shape((2, 1), (2, 2), 4, Some(4))),
        ("several heads", shape((2, 9), (3, 3), 4, None)),
        ("more than a block of queries", shape((1, 131), (2, 2), 4, None)),
        ("grouped queries", shape((2, 70), (6, 2), 4, None)),
        ("rotated", shape((2, 11), (2, 2), 6, Some(6))),
        ("partly rotated, one key head", shape((1, 70), (3, 1), 8, Some(4))),
    ];
    let mut cases = Vec::new();
    for (name, shape) in shapes {
        let (tokens, q, kv) = (
            shape.batch * shape.time,
            shape.heads * shape.head_dim,
            shape.kv_heads * shape.head_dim,
        );
        let (a, b, c, d) = (shape.clone(), shape.clone(), shape.clone(), shape);
        cases.push(case(
            format!("causal_attention, {name}"),
            tensors(&[&[tokens, q], &[tokens, kv], &[tokens, kv]]),
            move |x| fused::causal_attention(&x[0], &x[1], &x[2], &a),
            move |x| composed::causal_attention(&x[0], &x[1], &x[2], &b),
        ));
        cases.push(case(
            format!("causal_attention_fused, {name}"),
            tensors(&[&[tokens, q + 2 * kv]]),
            move |x| fused::causal_attention_fused(&x[0], &c),
            move |x| composed::causal_attention_fused(&x[0], &d),
        ));
    }
    cases
}

pub(super) fn prefixed() -> Vec<Case> {
    let shapes = [
        ("one row and one token", 1, shape((2, 1), (2, 2), 4, Some(4))),
        ("several heads", 3, shape((3, 9), (3, 3), 4, None)),
        ("more than a block of queries", 5, shape((1, 131), (2, 2), 4, None)),
        ("grouped queries", 7, shape((2, 70), (6, 2), 4, None)),
        ("rotated, more than a block of rows", 70, shape((2, 11), (2, 2), 6, Some(6))),
        ("partly rotated, one key head", 16, shape((2, 70), (3, 1), 8, Some(4))),
    ];
    let mut cases = Vec::new();
    for (name, rows, shape) in shapes {
        let (tokens, q, kv) = (
            shape.batch * shape.time,
            shape.heads * shape.head_dim,
            shape.kv_heads * shape.head_dim,
        );
        let (a, b, c) = (shape.clone(), shape.clone(), shape);
        cases.push(case(
            format!("causal_attention_with_prefix, {name}"),
            tensors(&[&[tokens, q + 2 * kv], &[rows, 2 * kv]]),
            move |x| fused::causal_attention_with_prefix(&x[0], &x[1], &a),
            move |x| composed::causal_attention_with_prefix(&x[0], &x[1], &b),
        ));
        // As where queries, keys and values come from weights of their own.
        let (a, b) = (c.clone(), c);
        cases.push(case(
            format!("causal_attention_with_prefix of joined matrices, {name}"),
            tensors(&[&[rows, 2 * kv], &[tokens, q], &[tokens, kv], &[tokens, kv]]),
            move |x| fused::causal_attention_with_prefix(&Tensor::cat(&x[1..], 1)?, &x[0], &a),
            move |x| composed::causal_attention_with_prefix(&Tensor::cat(&x[1..], 1)?, &x[0], &b),
        ));
    }
    cases
}
