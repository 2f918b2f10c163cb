//! What the positions of a sequence read.

use super::tensor::{Made, Tensor};

/// Queries, keys and values of a layer, rotated.
#[derive(Clone, Debug)]
pub struct Heads<T> {
    /// (sequences, heads, queries, head width).
    pub query: T,
    /// (sequences, kv heads, keys, head width); each of them serves a group of query heads.
    pub key: T,
    /// The same.
    pub value: T,
}

/// Which keys a query may read.
#[derive(Clone, Copy, Debug)]
pub enum Sight<'a, T> {
    /// Those of its own position and of all before it, the last query's being the last key's.
    Causal,
    /// All of them.
    All,
    /// Where the mask is true: (sequences or 1, 1, queries, keys).
    Masked(&'a T),
}

/// Attention one operation at a time: (sequences, heads, queries, head width).
///
/// Fused kernels may add up a gradient on a GPU in whatever order their threads come: the same training would
/// not end in the same bits. These operations do not.
///
/// # Errors
/// As [`Tensor`] says.
pub fn attend<T: Tensor>(heads: &Heads<T>, sight: &Sight<'_, T>, scale: f64) -> Made<T, T> {
    let (query_heads, kv_heads) = (heads.query.shape()[1], heads.key.shape()[1]);
    let each = |x: &T| each_group(x, query_heads / kv_heads);
    let (key, value) = (each(&heads.key)?, each(&heads.value)?);
    let scores = heads.query.scale(scale)?.matmul(&key.transpose(2, 3)?)?;
    let causal;
    let mask = match sight {
        Sight::All => None,
        Sight::Masked(mask) => Some(*mask),
        Sight::Causal => {
            causal = scores.causal_mask(heads.query.shape()[2], key.shape()[2])?;
            Some(&causal)
        }
    };
    scores.masked_softmax(mask)?.matmul(&value)
}

/// Keys or values, once for every query head.
fn each_group<T: Tensor>(x: &T, group: usize) -> Made<T, T> {
    if group == 1 {
        return Ok(x.clone());
    }
    let shape = x.shape();
    let (sequences, kv_heads, keys, width) = (shape[0], shape[1], shape[2], shape[3]);
    x.reshape(&[sequences, kv_heads, 1, keys, width])?
        .broadcast(&[sequences, kv_heads, group, keys, width])?
        .reshape(&[sequences, kv_heads * group, keys, width])
}

/// Heads with the keys and values of a prefix, each (kv heads, length, head width), in front.
pub(super) fn behind<T: Tensor>(heads: &Heads<T>, prefix: Option<&(T, T)>) -> Made<Heads<T>, T> {
    let Some((keys, values)) = prefix else { return Ok(heads.clone()) };
    let join = |prefix: &T, own: &T| -> Made<T, T> {
        let mut shape = prefix.shape();
        shape.insert(0, 1);
        let prefix = prefix.to(own.precision())?.reshape(&shape)?;
        shape[0] = own.shape()[0];
        T::cat(&[prefix.broadcast(&shape)?, own.clone()], 2)
    };
    let (key, value) = (join(keys, &heads.key)?, join(values, &heads.value)?);
    Ok(Heads { query: heads.query.clone(), key, value })
}
