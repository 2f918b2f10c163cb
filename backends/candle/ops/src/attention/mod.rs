//! Causal self-attention.

mod kernel;
mod prefix;
mod shape;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor};

use crate::composed;
use crate::floats::{fusable, gradient_of, read, slice};
use kernel::{Heads, Inputs, Places};
pub use prefix::causal_attention_with_prefix;
pub use shape::AttentionShape;

/// Causal scaled dot-product attention: `softmax(scale q k^T) v`, where a position sees itself and
/// those before it in its own sequence.
///
/// `q` is `(batch * time, heads * head_dim)`, `k` and `v` are `(batch * time, kv_heads * head_dim)`,
/// the result has the shape of `q`. With fewer key-value heads than heads, consecutive heads share
/// one (grouped-query attention, Ainslie et al. 2023). With a [`Rope`](crate::Rope), queries and
/// keys are rotated first.
///
/// The probabilities are computed for a block of queries at a time, never above the diagonal, and
/// not kept: the backward pass computes them again.
///
/// # Errors
/// If the shapes do not fit, or the devices or dtypes differ.
pub fn causal_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    shape: &AttentionShape,
) -> Result<Tensor> {
    let op = "causal_attention";
    shape.check(op, 0)?;
    shape.check_columns(op, "q", q, shape.query_width())?;
    shape.check_columns(op, "k", k, shape.key_width())?;
    shape.check_columns(op, "v", v, shape.key_width())?;
    if !fusable(&[q, k, v]) {
        return composed::causal_attention(q, k, v, shape);
    }
    q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, Attention(shape.clone()))
}

/// [`causal_attention`] on one matrix that holds queries, keys and values side by side.
///
/// `qkv` is `(batch * time, (heads + 2 kv_heads) * head_dim)`: first the columns of all query heads,
/// then of all key heads, then of all value heads, as GPT-2's `c_attn` puts them. One operation on
/// it spares three strided copies, and their gradients.
///
/// # Errors
/// Those of [`causal_attention`].
pub fn causal_attention_fused(qkv: &Tensor, shape: &AttentionShape) -> Result<Tensor> {
    let op = "causal_attention_fused";
    shape.check(op, 0)?;
    shape.check_columns(op, "qkv", qkv, shape.fused_width())?;
    if !fusable(&[qkv]) {
        return composed::causal_attention_fused(qkv, shape);
    }
    qkv.contiguous()?.apply_op1(FusedAttention(shape.clone()))
}

struct Attention(AttentionShape);

impl Attention {
    fn inputs<'a>(&'a self, q: &'a [f32], k: &'a [f32], v: &'a [f32]) -> Inputs<'a> {
        let (query_width, key_width) = (self.0.query_width(), self.0.key_width());
        Inputs {
            shape: &self.0,
            q: Heads { data: q, row_stride: query_width, offset: 0 },
            k: Heads { data: k, row_stride: key_width, offset: 0 },
            v: Heads { data: v, row_stride: key_width, offset: 0 },
            prefix: None,
        }
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "causal_attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k, v) = (slice(q, q_layout)?, slice(k, k_layout)?, slice(v, v_layout)?);
        let output = kernel::forward(&self.inputs(q, k, v));
        Ok((CpuStorage::F32(output), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let gradients = {
            let (q, k, v, gradient) = (read(q)?, read(k)?, read(v)?, read(&gradient)?);
            kernel::backward(&self.inputs(&q, &k, &v), &gradient, Places::apart(&self.0))
        };
        let [to_q, to_k, to_v] = gradients.own;
        Ok((gradient_of(q, to_q)?, gradient_of(k, to_k)?, gradient_of(v, to_v)?))
    }
}

struct FusedAttention(AttentionShape);

impl FusedAttention {
    fn inputs<'a>(&'a self, qkv: &'a [f32]) -> Inputs<'a> {
        let (query_width, key_width) = (self.0.query_width(), self.0.key_width());
        let heads = |offset| Heads { data: qkv, row_stride: self.0.fused_width(), offset };
        Inputs {
            shape: &self.0,
            q: heads(0),
            k: heads(query_width),
            v: heads(query_width + key_width),
            prefix: None,
        }
    }
}

impl CustomOp1 for FusedAttention {
    fn name(&self) -> &'static str {
        "causal_attention_fused"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let output = kernel::forward(&self.inputs(slice(qkv, layout)?));
        Ok((CpuStorage::F32(output), Shape::from((self.0.tokens(), self.0.query_width()))))
    }

    fn bwd(&self, qkv: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let to_qkv = {
            let (qkv, gradient) = (read(qkv)?, read(&gradient)?);
            kernel::backward(&self.inputs(&qkv), &gradient, Places::together(&self.0)).own
        };
        let [to_qkv] = to_qkv;
        gradient_of(qkv, to_qkv)
    }
}
