//! Any processor: an array the compiler maps to whatever vectors the target has.

use half::f16;

use super::{LANES, Simd};

/// Arithmetic without intrinsics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

/// Whether `f32::mul_add` is an instruction here. Where it is not, it is a libm call per element.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Simd for Portable {
    type Vector = [f32; LANES];
    // 64-bit Arm has 32 registers of four lanes, 128-bit x86 has 16.
    const TILE_ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };
    const TILE_VECTORS: usize = 1;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; LANES] {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> [f32; LANES] {
        *from
    }

    #[inline(always)]
    fn load_half(self, from: &[f16; LANES]) -> [f32; LANES] {
        from.map(f16::to_f32)
    }

    #[inline(always)]
    fn store(self, vector: [f32; LANES], to: &mut [f32; LANES]) {
        *to = vector;
    }

    #[inline(always)]
    fn multiply_add(self, a: [f32; LANES], b: [f32; LANES], c: [f32; LANES]) -> [f32; LANES] {
        let mut sum = c;
        for lane in 0..LANES {
            sum[lane] = if FUSED {
                a[lane].mul_add(b[lane], sum[lane])
            } else {
                a[lane] * b[lane] + sum[lane]
            };
        }
        sum
    }
}
