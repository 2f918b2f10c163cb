//! Keys and values of one attention layer, for a fixed number of sequences.

use candle_core::{Result, bail};

use super::buffer::LineAligned;
use super::parallel::{self, Shared};
use super::product::PANEL;
use super::rows::{Rows, check_dense, count};
use super::simd::LANES;

/// Consecutive tokens of one sequence in a flat batch of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The sequence's slot in the cache.
    pub slot: usize,
    /// Position of the first token.
    pub start: usize,
    /// Number of tokens.
    pub len: usize,
}

/// Keys and values of one layer: `slots` sequences of up to `capacity` tokens.
///
/// One allocation each, made once; memory that no token has reached is not touched. A slot is a
/// sequence of consecutive positions from 0; writing at an earlier position drops what follows it.
///
/// Keys lie in panels of 64 tokens, transposed to (head_dim, 64), so that scores come from the same
/// kernel as linear layers; values lie in rows, padded to whole vectors.
#[derive(Debug)]
pub struct KvCache {
    capacity: usize,
    kv_heads: usize,
    head_dim: usize,
    keys: LineAligned<f32>,
    values: LineAligned<f32>,
    /// Tokens in each slot.
    filled: Vec<usize>,
    /// The last call that wrote each slot: tells two segments of one slot in a call.
    written: Vec<u64>,
    calls: u64,
}

impl KvCache {
    /// An empty cache.
    pub fn new(slots: usize, capacity: usize, kv_heads: usize, head_dim: usize) -> Self {
        let heads = slots * kv_heads;
        let keys = heads * capacity.next_multiple_of(PANEL) * head_dim;
        let values = heads * capacity * head_dim.next_multiple_of(LANES);
        Self {
            capacity,
            kv_heads,
            head_dim,
            keys: LineAligned::filled(0.0, keys),
            values: LineAligned::filled(0.0, values),
            filled: vec![0; slots],
            written: vec![0; slots],
            calls: 0,
        }
    }

    /// Number of sequences.
    pub fn slots(&self) -> usize {
        self.filled.len()
    }

    /// Tokens that a slot can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> usize {
        self.kv_heads
    }

    /// Width of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// Tokens in `slot`, 0 where there is no such slot.
    pub fn filled(&self, slot: usize) -> usize {
        self.filled.get(slot).copied().unwrap_or(0)
    }

    /// Writes keys and values of (tokens, kv_heads * head_dim) from `position` of `slot`.
    ///
    /// Keys are taken as they are: whoever rotates keys has done so. From position 0, the slot then
    /// holds just these: a trained prefix comes before a sequence so, whose first token has the
    /// position after it (see [`causal_attention_with_prefix`](crate::causal_attention_with_prefix)).
    ///
    /// # Errors
    ///
    /// If the slices are not of one such shape, there is no such slot, `position` leaves a gap, or
    /// the slot's capacity does not suffice.
    pub fn append(&mut self, slot: usize, position: usize, k: &[f32], v: &[f32]) -> Result<()> {
        let width = self.kv_heads * self.head_dim;
        let len = count("key-value cache: keys", k, width)?;
        check_dense("key-value cache: values", v, len, width)?;
        let segment = Segment { slot, start: position, len };
        self.append_segments(Rows::dense(k, width), Rows::dense(v, width), &[segment])
    }

    /// Reads the keys and values of one token, (kv_heads * head_dim) each, as they were written.
    ///
    /// # Errors
    ///
    /// If the slices are of another length, or the slot does not hold that position.
    pub fn read(&self, slot: usize, position: usize, k: &mut [f32], v: &mut [f32]) -> Result<()> {
        check_dense("key-value cache: keys", k, 1, self.kv_heads * self.head_dim)?;
        check_dense("key-value cache: values", v, 1, self.kv_heads * self.head_dim)?;
        if position >= self.filled(slot) {
            bail!("key-value cache: no position {position} in slot {slot}");
        }
        let padded = self.head_dim.next_multiple_of(LANES);
        let column = position / PANEL * PANEL * self.head_dim + position % PANEL;
        let heads = k.chunks_exact_mut(self.head_dim).zip(v.chunks_exact_mut(self.head_dim));
        for (head, (k, v)) in heads.enumerate() {
            v.copy_from_slice(&self.values(slot, head)[position * padded..][..self.head_dim]);
            for (key, kept) in
                k.iter_mut().zip(self.keys(slot, head)[column..].iter().step_by(PANEL))
            {
                *key = *kept;
            }
        }
        Ok(())
    }

    /// Writes the keys and values of all segments, whose tokens are the consecutive rows of `k`
    /// and `v`.
    pub(crate) fn append_segments(
        &mut self,
        k: Rows<'_>,
        v: Rows<'_>,
        segments: &[Segment],
    ) -> Result<()> {
        let width = self.kv_heads * self.head_dim;
        let tokens = segments.iter().map(|segment| segment.len).sum();
        k.check("key-value cache: keys", tokens, width)?;
        v.check("key-value cache: values", tokens, width)?;
        self.calls += 1;
        for segment in segments {
            self.check(segment)?;
            if self.written[segment.slot] == self.calls {
                bail!("key-value cache: slot {} has two segments in one call", segment.slot);
            }
            self.written[segment.slot] = self.calls;
        }
        let mut rows = Vec::with_capacity(segments.len());
        let mut row = 0;
        for segment in segments {
            rows.push(row);
            row += segment.len;
            self.filled[segment.slot] = segment.start + segment.len;
        }
        let (key_size, value_size) = (self.key_size(), self.value_size());
        let (kv_heads, head_dim) = (self.kv_heads, self.head_dim);
        let (keys, values) = (Shared::new(&mut self.keys), Shared::new(&mut self.values));
        // A scattered write takes as long as some eight multiply-adds.
        parallel::for_each(segments.len() * kv_heads, tokens * width * 8, |task| {
            let (segment, head) = (&segments[task / kv_heads], task % kv_heads);
            let part = segment.slot * kv_heads + head;
            // SAFETY: a part is one head of one slot; no two segments have the same slot.
            let (keys, values) = unsafe {
                (keys.part(part * key_size, key_size), values.part(part * value_size, value_size))
            };
            let padded = head_dim.next_multiple_of(LANES);
            for token in 0..segment.len {
                let (row, position) = (rows[task / kv_heads] + token, segment.start + token);
                let head = head * head_dim..(head + 1) * head_dim;
                values[position * padded..][..head_dim]
                    .copy_from_slice(&v.row(row, width)[head.clone()]);
                let column = position / PANEL * PANEL * head_dim + position % PANEL;
                for (d, &key) in k.row(row, width)[head].iter().enumerate() {
                    keys[column + d * PANEL] = key;
                }
            }
        });
        Ok(())
    }

    fn check(&self, segment: &Segment) -> Result<()> {
        let &Segment { slot, start, len } = segment;
        let Some(&filled) = self.filled.get(slot) else {
            bail!("key-value cache: slot {slot} of {}", self.filled.len());
        };
        if start > filled {
            bail!(
                "key-value cache: position {start} leaves a gap after {filled} tokens of slot {slot}"
            );
        }
        if len > self.capacity || start > self.capacity - len {
            bail!(
                "key-value cache: {len} tokens from position {start} exceed the capacity of {}",
                self.capacity
            );
        }
        Ok(())
    }

    /// Makes the first `len` tokens of `from` the content of `to`: a prompt that is read once
    /// continues in many ways. Copying a slot to itself shortens it.
    ///
    /// # Errors
    ///
    /// If there is no such slot, or `from` has fewer tokens.
    pub fn copy_prefix(&mut self, from: usize, to: usize, len: usize) -> Result<()> {
        let slots = self.filled.len();
        if from >= slots || to >= slots {
            bail!("key-value cache: slots {from} and {to} of {slots}");
        }
        if len > self.filled[from] {
            bail!("key-value cache: {len} of the {} tokens of slot {from}", self.filled[from]);
        }
        self.filled[to] = len;
        if from == to {
            return Ok(());
        }
        let (key_size, value_size) = (self.key_size(), self.value_size());
        let full = len / PANEL * PANEL * self.head_dim;
        // Whole vectors; what lies beyond `len` is overwritten before it is read.
        let rest = (len % PANEL).next_multiple_of(LANES);
        for head in 0..self.kv_heads {
            let source = (from * self.kv_heads + head) * key_size;
            let target = (to * self.kv_heads + head) * key_size;
            self.keys.copy_within(source..source + full, target);
            if rest > 0 {
                for row in (full..full + self.head_dim * PANEL).step_by(PANEL) {
                    self.keys.copy_within(source + row..source + row + rest, target + row);
                }
            }
            let source = (from * self.kv_heads + head) * value_size;
            let target = (to * self.kv_heads + head) * value_size;
            let size = len * self.head_dim.next_multiple_of(LANES);
            self.values.copy_within(source..source + size, target);
        }
        Ok(())
    }

    /// Keys of one head: panel `p` is (head_dim, 64) from `p * 64 * head_dim`.
    pub(crate) fn keys(&self, slot: usize, head: usize) -> &[f32] {
        let size = self.key_size();
        &self.keys[(slot * self.kv_heads + head) * size..][..size]
    }

    /// Values of one head: (capacity, head_dim padded to whole vectors).
    pub(crate) fn values(&self, slot: usize, head: usize) -> &[f32] {
        let size = self.value_size();
        &self.values[(slot * self.kv_heads + head) * size..][..size]
    }

    fn key_size(&self) -> usize {
        self.capacity.next_multiple_of(PANEL) * self.head_dim
    }

    fn value_size(&self) -> usize {
        self.capacity * self.head_dim.next_multiple_of(LANES)
    }
}
