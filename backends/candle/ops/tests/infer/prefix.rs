//! A prefix in the cache against the operation that trains it.

use candle_core::{Device, Result, Tensor};
use candle_fused_ops::infer::{
    AttentionShape, HeadColumns, KvCache, Rows, Segment, apply_rope, cached_attention, rope_table,
};
use candle_fused_ops::{self as fused, Rope, causal_attention_with_prefix};

use crate::{bits, values};

const THETA: f64 = 100.0;
const TIME: usize = 40;
/// Sequences, which have the slots from 1 on.
const BATCH: usize = 2;

struct Model {
    shape: AttentionShape,
    /// (prefix rows, 2 * kv_heads * head_dim)
    prefix: Vec<f32>,
    rows: usize,
    rotary_dim: Option<usize>,
}

impl Model {
    fn new((heads, kv_heads, head_dim): (usize, usize, usize), rows: usize) -> Self {
        let shape = AttentionShape { heads, kv_heads, head_dim, scale: 0.4 };
        Self { shape, prefix: values(rows * 2 * kv_heads * head_dim, 1), rows, rotary_dim: None }
    }

    fn key_width(&self) -> usize {
        self.shape.kv_heads * self.shape.head_dim
    }

    fn query_width(&self) -> usize {
        self.shape.heads * self.shape.head_dim
    }

    /// (tokens, heads * head_dim) of all sequences' fused rows by the training operation.
    fn trained(&self, qkv: &[f32]) -> Result<Vec<f32>> {
        let AttentionShape { heads, kv_heads, head_dim, scale } = self.shape;
        let rope =
            self.rotary_dim.map(|dim| Rope::new(THETA, dim, self.rows + TIME)).transpose()?;
        let shape = fused::AttentionShape {
            batch: BATCH,
            time: TIME,
            heads,
            kv_heads,
            head_dim,
            scale,
            rope,
        };
        let stride = self.query_width() + 2 * self.key_width();
        let qkv = Tensor::from_slice(qkv, (BATCH * TIME, stride), &Device::Cpu)?;
        let prefix =
            Tensor::from_slice(&self.prefix, (self.rows, 2 * self.key_width()), &Device::Cpu)?;
        causal_attention_with_prefix(&qkv, &prefix, &shape)?.flatten_all()?.to_vec1()
    }

    /// A cache whose slots of sequences begin with the prefix, after something else was there.
    fn cache(&self) -> Result<KvCache> {
        let (width, capacity) = (self.key_width(), self.rows + TIME);
        let part = |first: usize| -> Vec<f32> {
            let rows = self.prefix.chunks(2 * width);
            rows.flat_map(|row| row[first..first + width].iter().copied()).collect()
        };
        let (keys, values) = (part(0), part(width));
        let stale = vec![1.0; capacity * width];
        let mut cache = KvCache::new(BATCH + 1, capacity, self.shape.kv_heads, self.shape.head_dim);
        for slot in 1..=BATCH {
            cache.append(slot, 0, &stale, &stale)?;
        }
        // Once as it is, once as a copy.
        cache.append(1, 0, &keys, &values)?;
        cache.copy_prefix(1, 2, self.rows)?;
        assert_eq!((cache.filled(1), cache.filled(2)), (self.rows, self.rows));
        Ok(cache)
    }

    /// The same by the decoder's, both sequences in pieces of these lengths.
    fn decoded(&self, qkv: &[f32], pieces: &[usize]) -> Result<Vec<f32>> {
        let stride = self.query_width() + 2 * self.key_width();
        let mut cache = self.cache()?;
        let mut outputs = vec![Vec::new(); BATCH];
        let mut start = 0;
        for &len in pieces {
            let token = |sequence: usize| (sequence * TIME + start) * stride;
            let mut rows: Vec<f32> = (0..BATCH)
                .flat_map(|sequence| qkv[token(sequence)..][..len * stride].iter().copied())
                .collect();
            let first = self.rows + start;
            if let Some(rotary_dim) = self.rotary_dim {
                let table = rope_table(self.rows + TIME, rotary_dim, THETA, None)?;
                let positions: Vec<u32> =
                    (0..BATCH).flat_map(|_| (first..first + len).map(|p| p as u32)).collect();
                let AttentionShape { heads, kv_heads, head_dim, .. } = self.shape;
                let heads = heads + kv_heads;
                let columns = HeadColumns { stride, offset: 0, heads, head_dim };
                apply_rope(&mut rows, columns, &positions, &table)?;
            }
            let segments: Vec<_> =
                (1..=BATCH).map(|slot| Segment { slot, start: first, len }).collect();
            let columns = |offset| Rows::columns(&rows, stride, offset);
            let (q, k) = (columns(0), columns(self.query_width()));
            let v = columns(self.query_width() + self.key_width());
            let mut out = vec![0.0; BATCH * len * self.query_width()];
            cached_attention(q, k, v, &mut cache, &segments, self.shape, &mut out)?;
            for (output, out) in outputs.iter_mut().zip(out.chunks(len * self.query_width())) {
                output.extend_from_slice(out);
            }
            start += len;
        }
        Ok(outputs.concat())
    }
}

#[test]
fn decoding_agrees_with_training() -> Result<()> {
    for (shape, prefix_rows, rotary_dim) in [
        ((2, 2, 8), 1, None),
        ((4, 2, 20), 16, None),
        ((3, 3, 16), 70, Some(16)),
        ((6, 1, 8), 5, Some(4)),
    ] {
        let model = Model { rotary_dim, ..Model::new(shape, prefix_rows) };
        let qkv = values(BATCH * TIME * (model.query_width() + 2 * model.key_width()), 2);
        let expected = model.trained(&qkv)?;
        let at_once = model.decoded(&qkv, &[TIME])?;
        for (actual, expected) in at_once.iter().zip(&expected) {
            assert!((actual - expected).abs() < 1e-5, "{shape:?}: {actual} for {expected}");
        }
        for pieces in [vec![1; TIME], vec![3, 30, 1, 6]] {
            assert!(bits(&model.decoded(&qkv, &pieces)?) == bits(&at_once), "{shape:?} {pieces:?}");
        }
    }
    Ok(())
}
