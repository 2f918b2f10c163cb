//! What the positions of a sequence read.

use detoxlm_transformer::architecture::Architecture;
use tch::{Kind, Tensor};

use crate::error::Computed;
use crate::network::Heads;
use crate::tensors::size;

/// Which keys a query may read.
pub(crate) enum Sight<'a> {
    /// Those of its own position and of the positions before it, the first key being the first
    /// position's.
    Causal,
    /// All of them.
    All,
    /// Where the mask is true: (sequences or 1, 1, queries, keys).
    Masked(&'a Tensor),
}

/// Attention without gradients, by the fastest kernel that there is.
pub(crate) fn attend(
    architecture: &Architecture,
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    sight: &Sight<'_>,
) -> Computed<Tensor> {
    let mask = match sight {
        Sight::Masked(mask) => Some(*mask),
        Sight::Causal | Sight::All => None,
    };
    let is_causal = matches!(sight, Sight::Causal);
    let scale = f64::from(architecture.attention_scale());
    let is_grouped = architecture.kv_heads != architecture.heads;
    Tensor::f_scaled_dot_product_attention(
        query, key, value, mask, 0.0, is_causal, scale, is_grouped,
    )
}

/// Causal attention behind a prefix's keys and values, each (kv heads, length, head width), with
/// gradients.
///
/// The kernels of [`attend`] add up a gradient on a GPU in whatever order their threads come: the same
/// training would not end in the same bits. These operations do not.
pub(crate) fn attend_differentiably(
    architecture: &Architecture,
    heads: &Heads,
    prefix: Option<&(Tensor, Tensor)>,
) -> Computed<Tensor> {
    let (sequences, _, tokens, width) = heads.query.size4()?;
    let (key, value) = behind(heads, prefix)?;
    let (_, kv_heads, keys, _) = key.size4()?;
    let group = size(architecture.heads / architecture.kv_heads);
    // Each head of keys and values serves a group of query heads.
    let each =
        |x: Tensor| -> Computed<Tensor> {
            if group == 1 {
                return Ok(x);
            }
            x.f_unsqueeze(2)?
                .f_expand([sequences, kv_heads, group, keys, width], false)?
                .f_reshape([sequences, kv_heads * group, keys, width])
        };
    let (key, value) = (each(key)?, each(value)?);
    let query = heads.query.f_mul_scalar(f64::from(architecture.attention_scale()))?;
    let scores = query.f_matmul(&key.f_transpose(2, 3)?)?;
    let unseen =
        Tensor::f_ones([tokens, keys], (Kind::Bool, query.device()))?.f_triu(keys - tokens + 1)?;
    let weights = scores
        .f_masked_fill(&unseen, f64::NEG_INFINITY)?
        .f_softmax(-1, Kind::Float)?
        .f_totype(value.f_kind()?)?;
    weights.f_matmul(&value)
}

/// Keys and values with those of a prefix, each (kv heads, length, head width), in front.
pub(crate) fn behind(
    heads: &Heads,
    prefix: Option<&(Tensor, Tensor)>,
) -> Computed<(Tensor, Tensor)> {
    let Some((keys, values)) = prefix else {
        return Ok((heads.key.shallow_clone(), heads.value.shallow_clone()));
    };
    let join = |prefix: &Tensor, own: &Tensor| -> Computed<Tensor> {
        let (sequences, ..) = own.size4()?;
        let prefix = prefix.f_totype(own.f_kind()?)?.f_unsqueeze(0)?;
        let prefix = prefix.f_expand([sequences, -1, -1, -1], false)?;
        Tensor::f_cat(&[prefix, own.shallow_clone()], 2)
    };
    Ok((join(keys, &heads.key)?, join(values, &heads.value)?))
}
