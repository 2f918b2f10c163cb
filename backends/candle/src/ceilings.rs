//! What bounds a model on this machine.

use candle_core::{Device, Tensor};
use detoxlm_core::Result;
use detoxlm_core::benchmark::{Ceilings, fastest_per_second};
use rayon::prelude::*;

use crate::error::internal;
use crate::options::{CandleOptions, Where};

/// Rows and columns of the matrices that are multiplied: more are not faster.
const SIDE: usize = 1024;
/// Words of eight bytes that are read: 256 MiB, of which no cache holds much.
const WORDS: usize = 32 << 20;
/// Words that a thread reads at a time.
const PIECE: usize = 1 << 16;

/// Measures them where models compute: on the processor with the products that training consists of, and the
/// threads that it takes.
pub(crate) fn ceilings(options: CandleOptions) -> Result<Ceilings> {
    if let Where::Gpu(place) = options.find()? {
        return place.ceilings();
    }
    options.pool()?.install(|| {
        Ok(Ceilings {
            operations: 2.0 * (SIDE * SIDE * SIDE) as f64 * products_per_second()?,
            bytes: (WORDS * size_of::<u64>()) as f64 * readings_per_second()?,
        })
    })
}

fn products_per_second() -> Result<f64> {
    let failed = internal("multiply matrices");
    let matrix = || Tensor::randn(0_f32, 1.0, (SIDE, SIDE), &Device::Cpu).map_err(&failed);
    let (one, other) = (matrix()?, matrix()?);
    fastest_per_second(|| {
        let product = one.matmul(&other).map_err(&failed)?;
        std::hint::black_box(product);
        Ok(())
    })
}

fn readings_per_second() -> Result<f64> {
    let words: Vec<u64> = (0..WORDS as u64).into_par_iter().collect();
    fastest_per_second(|| {
        let sums = words
            .par_chunks(PIECE)
            .map(|piece| piece.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word)));
        std::hint::black_box(sums.reduce(|| 0, u64::wrapping_add));
        Ok(())
    })
}
