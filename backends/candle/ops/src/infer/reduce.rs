//! Reductions in one fixed order.

use super::simd::LANES;

/// The sum of `term` over `values`: lane `i` takes the elements `i`, `i + 16`, `i + 32`, ... in
/// order, then the lanes are added in pairs. The order depends on the number of values alone.
#[inline(always)]
pub(crate) fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] += term(block[lane]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += term(value);
    }
    fold(lanes, |a, b| a + b)
}

/// The greatest of `values`, passing over NaN; negative infinity if there is none.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = greater(block[lane], lanes[lane]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane = greater(value, *lane);
    }
    fold(lanes, |a, b| greater(b, a))
}

/// `f32::max` takes three instructions for its rules on NaN, this one.
#[inline(always)]
fn greater(candidate: f32, so_far: f32) -> f32 {
    if candidate > so_far { candidate } else { so_far }
}

#[inline(always)]
fn fold(mut lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = combine(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}
