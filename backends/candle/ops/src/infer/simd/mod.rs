//! One vector shape, sixteen `f32` lanes, on every instruction set.
//!
//! A fixed lane count is what makes a reduction give the same bits everywhere: AVX-512 holds the
//! sixteen lanes in one register, AVX2 in two, the portable version in an array. Kernels are
//! written once against [`Simd`] and compiled once per instruction set by [`Isa::run`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use half::f16;

/// Lanes of a vector.
pub(crate) const LANES: usize = 16;

/// The arithmetic of one instruction set.
///
/// # Contract
///
/// A value of an implementing type is proof that the running processor has the instruction set.
/// Every method works lane by lane, so a lane's result never depends on its neighbours.
pub(crate) trait Simd: Copy + Send + Sync {
    /// Sixteen `f32` lanes.
    type Vector: Copy;
    /// Rows of the highest multiplication tile whose accumulators stay in registers.
    const TILE_ROWS: usize;
    /// Vectors across that tile.
    const TILE_VECTORS: usize;

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::Vector;
    /// The sixteen values of `from`.
    fn load(self, from: &[f32; LANES]) -> Self::Vector;
    /// The sixteen values of `from`, widened exactly.
    fn load_half(self, from: &[f16; LANES]) -> Self::Vector;
    /// Writes the lanes to `to`.
    fn store(self, vector: Self::Vector, to: &mut [f32; LANES]);
    /// `a * b + c`, rounded once where the instruction set has a fused multiply-add.
    fn multiply_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// A computation compiled once per instruction set.
///
/// Implementations mark `run` as `#[inline(always)]`: it must end up inside the function that
/// enables the instruction set, or its vectors go through memory one call at a time.
pub(crate) trait Kernel {
    /// What the computation returns.
    type Output;
    /// Computes with the arithmetic of `simd`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// An instruction set of the running processor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    Portable(portable::Portable),
}

impl Isa {
    /// The widest instruction set the processor has. The same on every call.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(avx512) = avx512::Avx512::detect() {
                return Self::Avx512(avx512);
            }
            if let Some(avx2) = avx2::Avx2::detect() {
                return Self::Avx2(avx2);
            }
        }
        Self::Portable(portable::Portable)
    }

    /// Every instruction set the processor has, widest first.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(avx512::Avx512::detect().map(Self::Avx512));
            all.extend(avx2::Avx2::detect().map(Self::Avx2));
        }
        all.push(Self::Portable(portable::Portable));
        all
    }

    /// Runs `kernel` compiled for this instruction set.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.run(kernel),
            Self::Portable(simd) => kernel.run(simd),
        }
    }
}
