//! Attention over the key-value cache.

use candle_core::{Device, Result, Tensor};
use candle_fused_ops::infer::{
    AttentionShape, KvCache, Rows, Segment, cached_attention, cached_attention_tensor,
};

use crate::{bits, error, on_threads, values};

fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape { heads, kv_heads, head_dim, scale: 1.0 / (head_dim as f32).sqrt() }
}

const SHAPES: [(usize, usize, usize); 6] =
    [(1, 1, 8), (3, 3, 64), (4, 2, 80), (6, 1, 8), (30, 2, 16), (2, 2, 20)];

/// A sequence's tokens: fused rows of query, key and value.
struct Sequence {
    shape: AttentionShape,
    rows: Vec<f32>,
}

impl Sequence {
    fn new(shape: AttentionShape, tokens: usize, seed: u32) -> Self {
        Self { shape, rows: values(tokens * Self::width(shape), seed) }
    }

    fn width(shape: AttentionShape) -> usize {
        (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    }

    fn tokens(&self, from: usize, to: usize) -> &[f32] {
        let width = Self::width(self.shape);
        &self.rows[from * width..to * width]
    }
}

fn attend(cache: &mut KvCache, s: AttentionShape, rows: &[f32], segments: &[Segment]) -> Vec<f32> {
    let (stride, q) = (Sequence::width(s), s.heads * s.head_dim);
    let columns = |offset| Rows::columns(rows, stride, offset);
    let mut out = vec![f32::NAN; rows.len() / stride * q];
    let kv = s.kv_heads * s.head_dim;
    cached_attention(columns(0), columns(q), columns(q + kv), cache, segments, s, &mut out)
        .expect("the shapes agree");
    out
}

fn reference(sequence: &Sequence) -> Vec<f64> {
    let s = sequence.shape;
    let (d, stride) = (s.head_dim, Sequence::width(s));
    let head = |token: usize, head: usize| &sequence.rows[token * stride + head * d..][..d];
    let mut out = Vec::new();
    for token in 0..sequence.rows.len() / stride {
        for h in 0..s.heads {
            let kv = s.heads + h / (s.heads / s.kv_heads);
            let weights: Vec<f64> = (0..=token)
                .map(|t| {
                    let dot = head(token, h).iter().zip(head(t, kv));
                    let dot: f64 = dot.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                    (dot * f64::from(s.scale)).exp()
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            out.extend((0..d).map(|i| {
                let values = (0..=token).map(|t| f64::from(head(t, kv + s.kv_heads)[i]));
                values.zip(&weights).map(|(v, w)| v * w).sum::<f64>() / sum
            }));
        }
    }
    out
}

/// The outputs of a sequence that has the cache to itself, token by token.
fn step_by_step(sequence: &Sequence, tokens: usize) -> Vec<f32> {
    let s = sequence.shape;
    let mut cache = KvCache::new(1, tokens, s.kv_heads, s.head_dim);
    (0..tokens)
        .flat_map(|start| {
            let segment = Segment { slot: 0, start, len: 1 };
            attend(&mut cache, s, sequence.tokens(start, start + 1), &[segment])
        })
        .collect()
}

#[test]
fn agrees_with_f64() {
    for (heads, kv_heads, head_dim) in SHAPES {
        let sequence = Sequence::new(shape(heads, kv_heads, head_dim), 70, 1);
        let out = step_by_step(&sequence, 70);
        assert!(error(&out, &reference(&sequence)) < 2e-6, "{heads} {kv_heads} {head_dim}");
    }
}

#[test]
fn a_prompt_at_once_equals_token_by_token() {
    let tokens = 150;
    for (heads, kv_heads, head_dim) in SHAPES {
        let s = shape(heads, kv_heads, head_dim);
        let sequence = Sequence::new(s, tokens, 2);
        let expected = bits(&step_by_step(&sequence, tokens));
        for pieces in [vec![150], vec![1, 149], vec![63, 2, 85], vec![16, 48, 64, 22]] {
            for threads in [1, 3] {
                let out = on_threads(threads, || {
                    let mut cache = KvCache::new(2, tokens + 3, kv_heads, head_dim);
                    let (mut start, mut out) = (0, Vec::new());
                    for &len in &pieces {
                        let rows = sequence.tokens(start, start + len);
                        out.extend(attend(&mut cache, s, rows, &[Segment { slot: 1, start, len }]));
                        start += len;
                    }
                    out
                });
                assert_eq!(bits(&out), expected, "{s:?} in {pieces:?} on {threads} threads");
            }
        }
    }
}

/// Sequences of several lengths and stages in one call, in every rotation of their order.
#[test]
fn a_sequence_has_the_same_bits_in_every_batch() {
    let s = shape(4, 2, 80);
    let lengths = [(0, 40), (90, 1), (17, 3), (64, 1), (5, 70)];
    let sequences: Vec<Sequence> =
        (0..5).map(|i| Sequence::new(s, lengths[i].0 + lengths[i].1, i as u32)).collect();
    let width = s.heads * s.head_dim;
    let expected: Vec<Vec<u32>> = sequences
        .iter()
        .zip(lengths)
        .map(|(sequence, (start, len))| bits(&step_by_step(sequence, start + len)[start * width..]))
        .collect();
    for rotation in 0..5 {
        for threads in [1, 2, 4] {
            let order: Vec<usize> = (0..5).map(|i| (i + rotation) % 5).collect();
            let mut cache = KvCache::new(5, 100, s.kv_heads, s.head_dim);
            let (mut rows, mut segments) = (Vec::new(), Vec::new());
            for (slot, &i) in order.iter().enumerate() {
                let (start, len) = lengths[i];
                if start > 0 {
                    let past = Segment { slot, start: 0, len: start };
                    attend(&mut cache, s, sequences[i].tokens(0, start), &[past]);
                }
                rows.extend_from_slice(sequences[i].tokens(start, start + len));
                segments.push(Segment { slot, start, len });
            }
            let out = on_threads(threads, || attend(&mut cache, s, &rows, &segments));
            let mut rest = &out[..];
            for i in order {
                let (own, others) = rest.split_at(lengths[i].1 * width);
                assert_eq!(bits(own), expected[i]);
                rest = others;
            }
        }
    }
}

#[test]
fn a_forked_prompt_continues_as_its_own() {
    let s = shape(4, 2, 8);
    for prompt in [1, 16, 63, 64, 65, 100] {
        let tokens = prompt + 30;
        let mut sequence = Sequence::new(s, tokens, 3);
        let mut cache = KvCache::new(3, tokens, s.kv_heads, s.head_dim);
        // What an earlier sequence left in the slot must not show.
        let stale = Sequence::new(s, tokens, 4);
        attend(&mut cache, s, &stale.rows, &[Segment { slot: 2, start: 0, len: tokens }]);
        let first = Segment { slot: 0, start: 0, len: tokens };
        attend(&mut cache, s, &sequence.rows, &[first]);
        cache.copy_prefix(0, 2, prompt).unwrap();
        assert_eq!((cache.filled(2), cache.filled(0)), (prompt, tokens));
        // Another continuation than the first.
        let at = prompt * Sequence::width(s);
        let rest = values(sequence.rows.len() - at, 5);
        sequence.rows[at..].copy_from_slice(&rest);
        let expected = step_by_step(&sequence, tokens);
        for start in prompt..tokens {
            let rows = sequence.tokens(start, start + 1);
            let out = attend(&mut cache, s, rows, &[Segment { slot: 2, start, len: 1 }]);
            let width = s.heads * s.head_dim;
            assert_eq!(bits(&out), bits(&expected[start * width..(start + 1) * width]));
        }
    }
}

#[test]
fn a_later_token_cannot_harm_an_earlier_one() {
    let s = shape(2, 2, 8);
    let mut sequence = Sequence::new(s, 5, 6);
    let expected = step_by_step(&sequence, 5);
    let (at, width) = (4 * Sequence::width(s), 2 * 8);
    sequence.rows[at..].fill(f32::NAN);
    let mut cache = KvCache::new(1, 5, 2, 8);
    let out = attend(&mut cache, s, &sequence.rows, &[Segment { slot: 0, start: 0, len: 5 }]);
    assert_eq!(bits(&out[..4 * width]), bits(&expected[..4 * width]));
    assert!(out[4 * width..].iter().all(|value| value.is_nan()));
}

#[test]
fn appended_keys_are_those_attended_to() {
    let s = shape(2, 1, 8);
    let sequence = Sequence::new(s, 20, 7);
    let expected = step_by_step(&sequence, 20);
    let stride = Sequence::width(s);
    let part = |from: usize, to: usize| -> Vec<f32> {
        let rows = sequence.tokens(0, 19).chunks(stride);
        rows.flat_map(|row| row[from..to].iter().copied()).collect()
    };
    let mut cache = KvCache::new(1, 20, 1, 8);
    cache.append(0, 0, &part(16, 24), &part(24, 32)).unwrap();
    let last = Segment { slot: 0, start: 19, len: 1 };
    let out = attend(&mut cache, s, sequence.tokens(19, 20), &[last]);
    assert_eq!(bits(&out), bits(&expected[19 * 16..]));
}

#[test]
fn tensors_give_the_same() -> Result<()> {
    let s = shape(4, 2, 8);
    let sequence = Sequence::new(s, 9, 8);
    let rows = Tensor::from_slice(&sequence.rows, (9, 64), &Device::Cpu)?;
    let (q, k, v) = (rows.narrow(1, 0, 32)?, rows.narrow(1, 32, 16)?, rows.narrow(1, 48, 16)?);
    let segments = [Segment { slot: 0, start: 0, len: 9 }];
    let mut cache = KvCache::new(1, 9, 2, 8);
    let out = cached_attention_tensor(&q, &k, &v, &mut cache, &segments, s)?;
    assert_eq!(out.dims(), [9, 32]);
    assert_eq!(bits(&out.flatten_all()?.to_vec1()?), bits(&step_by_step(&sequence, 9)));
    Ok(())
}

#[test]
fn refuses_what_does_not_fit() {
    let s = shape(2, 1, 8);
    let rows = values(3 * 32, 9);
    let attempt = |cache: &mut KvCache, s: AttentionShape, segments: &[Segment], out: usize| {
        let columns = |offset| Rows::columns(&rows, 32, offset);
        let mut out = vec![0.0; out];
        cached_attention(columns(0), columns(16), columns(24), cache, segments, s, &mut out)
            .expect_err("does not fit")
            .to_string()
    };
    let mut cache = KvCache::new(2, 4, 1, 8);
    let segment = |slot, start, len| Segment { slot, start, len };
    let twice = [segment(0, 0, 1), segment(0, 0, 1)];
    for (message, expected) in [
        (attempt(&mut cache, s, &[segment(2, 0, 1)], 16), "slot 2 of 2"),
        (attempt(&mut cache, s, &[segment(0, 1, 1)], 16), "position 1 leaves a gap after 0"),
        (attempt(&mut cache, s, &twice, 32), "slot 0 has two segments"),
        (attempt(&mut cache, s, &[segment(0, 0, 4)], 64), "do not hold (4, 16)"),
        (attempt(&mut cache, s, &[segment(0, 0, 1)], 17), "17 values are not (1, 16)"),
        (attempt(&mut cache, shape(2, 2, 8), &[segment(0, 0, 1)], 16), "2 heads of 8"),
        (attempt(&mut cache, shape(0, 1, 8), &[segment(0, 0, 1)], 0), "0 query heads"),
    ] {
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(cache.filled(0), 0);
    cache.append(0, 0, &rows[..16], &rows[..16]).unwrap();
    let full = cache.append(0, 2, &rows[..24], &rows[..24]).unwrap_err().to_string();
    assert!(full.contains("3 tokens from position 2 exceed the capacity of 4"), "{full}");
    let uneven = cache.append(0, 2, &rows[..8], &rows[..16]).unwrap_err().to_string();
    assert!(uneven.contains("16 values are not (1, 8)"), "{uneven}");
    assert!(cache.copy_prefix(0, 1, 4).is_err());
    assert!(cache.copy_prefix(0, 2, 1).is_err());
    cache.copy_prefix(0, 0, 1).unwrap();
    assert_eq!(cache.filled(0), 1);
}
