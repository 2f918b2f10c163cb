//! What a flat matrix of queries, keys or values consists of.

use candle_core::{Result, Tensor, bail};

use crate::Rope;

/// How the rows and columns of the flat inputs of
/// [`causal_attention`](crate::causal_attention) divide into sequences and heads.
#[derive(Clone, Debug)]
pub struct AttentionShape {
    /// Sequences; their tokens follow each other in the rows.
    pub batch: usize,
    /// Tokens of each sequence.
    pub time: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Columns of one head.
    pub head_dim: usize,
    /// Factor of the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// Rotation of queries and keys by their position in the sequence, counted from 0, or from the
    /// end of the [prefix](crate::causal_attention_with_prefix).
    pub rope: Option<Rope>,
}

impl AttentionShape {
    /// Rows of every input.
    pub(crate) fn tokens(&self) -> usize {
        self.batch * self.time
    }

    /// Columns of the queries and of the result.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Columns of the keys, and of the values.
    pub(crate) fn key_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Columns of queries, keys and values side by side.
    pub(crate) fn fused_width(&self) -> usize {
        self.query_width() + 2 * self.key_width()
    }

    /// Query heads that share a key head.
    pub(crate) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// That the parts fit each other, and a prefix of so many positions.
    pub(crate) fn check(&self, op: &str, prefix: usize) -> Result<()> {
        let Self { batch, time, heads, kv_heads, head_dim, .. } = *self;
        if [batch, time, heads, kv_heads, head_dim].contains(&0) {
            bail!(
                "{op}: no part of the shape may be zero, but it has batch {batch}, time {time}, \
                 heads {heads}, kv_heads {kv_heads}, head_dim {head_dim}"
            )
        }
        if !heads.is_multiple_of(kv_heads) {
            bail!("{op}: {kv_heads} key-value heads do not divide {heads} heads")
        }
        if let Some(rope) = &self.rope {
            if rope.rotary_dim() > head_dim {
                bail!("{op}: rope rotates {} dimensions of {head_dim}", rope.rotary_dim())
            }
            if rope.positions() < prefix + time {
                let parts = if prefix > 0 {
                    format!("{prefix} of the prefix and {time} of a sequence")
                } else {
                    time.to_string()
                };
                bail!("{op}: rope covers {} positions, not {parts}", rope.positions())
            }
        }
        Ok(())
    }

    /// That `tensor` has a row per token and `columns` columns.
    pub(crate) fn check_columns(
        &self,
        op: &str,
        name: &str,
        tensor: &Tensor,
        columns: usize,
    ) -> Result<()> {
        if tensor.dims() != [self.tokens(), columns] {
            bail!(
                "{op}: {name} has the shape {:?}, but batch {} x time {}, heads {}, kv_heads {} and \
                 head_dim {} make it {:?}",
                tensor.dims(),
                self.batch,
                self.time,
                self.heads,
                self.kv_heads,
                self.head_dim,
                [self.tokens(), columns],
            )
        }
        Ok(())
    }
}
