//! From the classifier's logits, on the scale that it learns, to every other source's.
//!
//! A source reads an attribute with a slope and an offset of its own, and adds what it alone sees in
//! the text (its annotators' guidelines, its platform). None of it is shipped.

use candle_core::{Device, Result, Tensor};
use candle_fused_ops::{WeightLayout, embedding, linear};

use super::network::{Judged, Sizes, Spec};

const SLOPE: usize = 0;
const OFFSET: usize = 1;
/// Where the linear terms of their own are among [`specs`].
pub(crate) const OWN: usize = 2;

/// The parameters of so many sources besides the one of the scale; none where there is no other.
pub(crate) fn specs(sizes: &Sizes, others: usize) -> Vec<Spec> {
    if others == 0 {
        return Vec::new();
    }
    let Sizes { attributes, hidden, .. } = *sizes;
    vec![
        Spec::new("heads.log_slope", &[others, attributes]),
        Spec::new("heads.offset", &[others, attributes]),
        Spec::new("heads.own", &[others * attributes, hidden]),
    ]
}

/// What each text's own source would say, in logits. `sources` has a number for each text: 0 is the
/// source of the scale, which is read as it is, and `n` the `n`-th other.
pub(crate) fn read(judged: &Judged, parameters: &[Tensor], sources: &[u32]) -> Result<Tensor> {
    let Judged { logits, hidden } = judged;
    if parameters.is_empty() {
        return Ok(logits.clone());
    }
    let (texts, attributes) = logits.dims2()?;
    let others = parameters[SLOPE].dim(0)?;
    // A text of the scale reads some head, and then its share of it is 0.
    let heads: Vec<u32> = sources.iter().map(|&source| source.saturating_sub(1)).collect();
    let slope = embedding(&parameters[SLOPE], &heads)?.exp()?;
    let offset = embedding(&parameters[OFFSET], &heads)?;
    let own = linear(hidden, &parameters[OWN], None, WeightLayout::OutIn)?;
    let rows: Vec<u32> =
        heads.iter().enumerate().map(|(at, head)| (at * others) as u32 + head).collect();
    let own = embedding(&own.reshape((texts * others, attributes))?, &rows)?;
    let theirs = ((logits * slope)? + offset)?.add(&own)?;
    let share: Vec<f32> = sources.iter().map(|&source| f32::from(source > 0)).collect();
    let share = Tensor::from_vec(share, (texts, 1), &Device::Cpu)?;
    logits + (theirs - logits)?.broadcast_mul(&share)?
}
