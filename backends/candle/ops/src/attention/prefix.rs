//! Causal self-attention that sees a trained prefix.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::kernel::{self, Gradients, Heads, Inputs, Places, Prefix};
use super::{AttentionShape, FusedAttention};
use crate::floats::{fusable, gradient_of, read, slice};
use crate::{check, composed};

/// [`causal_attention_fused`](crate::causal_attention_fused) where every position of every sequence
/// also sees `P` keys and values that stand before the first: prefix tuning (Li and Liang 2021),
/// with the arithmetic of Hugging Face's `past_key_values`.
///
/// `qkv` is `(batch * time, (heads + 2 kv_heads) * head_dim)`, of the sequences alone. `prefix` is
/// `(P, 2 kv_heads * head_dim)`: first the columns of all key heads, then of all value heads. With a
/// [`Rope`](crate::Rope), the sequences' own queries and keys have the positions `P`, `P + 1` and so
/// on; the prefix's keys are used as they are. The result is `(batch * time, heads * head_dim)`.
///
/// The gradient of the prefix is the sum over the sequences, in their order. Where only the prefix
/// is trained, as in the first layer of a model with nothing else to train, those of the sequences
/// are not computed.
///
/// Where queries, keys and values are matrices of their own, [`Tensor::cat`] along the columns makes
/// `qkv` of them and hands their gradients back.
///
/// # Errors
/// Those of [`causal_attention`](crate::causal_attention); if the prefix has no rows or other
/// columns, or the rope does not cover `P + time` positions.
pub fn causal_attention_with_prefix(
    qkv: &Tensor,
    prefix: &Tensor,
    shape: &AttentionShape,
) -> Result<Tensor> {
    let op = "causal_attention_with_prefix";
    let (rows, columns) = check::matrix(op, "prefix", prefix)?;
    shape.check(op, rows)?;
    shape.check_columns(op, "qkv", qkv, shape.fused_width())?;
    if rows == 0 {
        bail!("{op}: the prefix has no rows; causal_attention_fused takes none")
    }
    if columns != 2 * shape.key_width() {
        bail!(
            "{op}: prefix has the shape {:?}, but kv_heads {} and head_dim {} make it {} columns of \
             keys and as many of values",
            prefix.dims(),
            shape.kv_heads,
            shape.head_dim,
            shape.key_width(),
        )
    }
    if !fusable(&[qkv, prefix]) {
        return composed::causal_attention_with_prefix(qkv, prefix, shape);
    }
    let attention = PrefixedAttention { sequences: FusedAttention(shape.clone()), rows };
    qkv.contiguous()?.apply_op2(&prefix.contiguous()?, attention)
}

struct PrefixedAttention {
    sequences: FusedAttention,
    /// Rows of the prefix.
    rows: usize,
}

impl PrefixedAttention {
    fn shape(&self) -> &AttentionShape {
        &self.sequences.0
    }

    fn inputs<'a>(&'a self, qkv: &'a [f32], prefix: &'a [f32]) -> Inputs<'a> {
        let key_width = self.shape().key_width();
        let heads = |offset| Heads { data: prefix, row_stride: 2 * key_width, offset };
        let prefix = Prefix { rows: self.rows, k: heads(0), v: heads(key_width) };
        Inputs { prefix: Some(prefix), ..self.sequences.inputs(qkv) }
    }
}

impl CustomOp2 for PrefixedAttention {
    fn name(&self) -> &'static str {
        "causal_attention_with_prefix"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
        prefix: &CpuStorage,
        prefix_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (qkv, prefix) = (slice(qkv, qkv_layout)?, slice(prefix, prefix_layout)?);
        let output = kernel::forward(&self.inputs(qkv, prefix));
        let shape = self.shape();
        Ok((CpuStorage::F32(output), Shape::from((shape.tokens(), shape.query_width()))))
    }

    fn bwd(
        &self,
        qkv: &Tensor,
        prefix: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (to_qkv, to_prefix) = {
            let (qkv_values, prefix_values, gradient) =
                (read(qkv)?, read(prefix)?, read(&gradient)?);
            let inputs = self.inputs(&qkv_values, &prefix_values);
            if qkv.track_op() {
                let places = Places::together(self.shape()).and_prefix(prefix.track_op());
                let Gradients { own: [to_qkv], prefix } =
                    kernel::backward(&inputs, &gradient, places);
                (to_qkv, prefix)
            } else {
                let prefix = kernel::backward(&inputs, &gradient, Places::only_prefix()).prefix;
                (Vec::new(), prefix)
            }
        };
        Ok((gradient_of(qkv, to_qkv)?, gradient_of(prefix, to_prefix)?))
    }
}
