//! The inference kernels against references in `f64`, and their promise of equal bits.

mod attention;
mod linear;
mod prefix;
mod rowwise;

use rayon::ThreadPoolBuilder;

/// `n` values in [-1, 1), the same for a seed.
fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
    .take(n)
    .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Runs `work` on `threads` threads.
fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads can be started").install(work)
}

/// The greatest difference, relative to the greatest expected magnitude.
fn error(actual: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let scale = expected.iter().fold(1e-30, |scale: f64, value| scale.max(value.abs()));
    let difference = actual.iter().zip(expected).map(|(a, e)| (f64::from(*a) - e).abs());
    difference.fold(0.0, |worst: f64, d| if d <= worst { worst } else { d }) / scale
}
