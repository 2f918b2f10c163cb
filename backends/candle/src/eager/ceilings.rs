//! What bounds a model on a GPU.

use candle_core::{DType, Result as Candle, Tensor};
use detoxlm_core::Result;
use detoxlm_core::benchmark::{Ceilings, fastest_per_second};
use detoxlm_transformer::eager::Place;

use super::place::CandlePlace;
use super::tensor::dtype;

/// Rows and columns of the matrices that are multiplied: they keep a GPU busy.
const SIDE: usize = 8192;
/// Elements that are read: 256 MiB, of which no cache holds much.
const ELEMENTS: usize = 64 << 20;

impl CandlePlace {
    /// Measures them with candle's own operations, in the numbers that are asked for.
    pub(crate) fn ceilings(&self) -> Result<Ceilings> {
        let matrix = || -> Candle<Tensor> {
            Tensor::randn(0_f32, 1.0, (SIDE, SIDE), self.device())?
                .to_dtype(dtype(self.precision()))
        };
        let failed = Self::failed("multiply matrices");
        let (one, other) = (matrix().map_err(&failed)?, matrix().map_err(&failed)?);
        let products = self.per_second(|| one.matmul(&other))?;
        let vector = Tensor::ones((ELEMENTS / SIDE, SIDE), DType::F32, self.device());
        let vector = vector.map_err(Self::failed("read numbers"))?;
        let readings = self.per_second(|| vector.sum(1))?;
        Ok(Ceilings {
            operations: 2.0 * (SIDE as f64).powi(3) * products,
            bytes: (ELEMENTS * size_of::<f32>()) as f64 * readings,
        })
    }

    /// A GPU says that work is done when it has only been asked for, so that each time is waited for.
    fn per_second(&self, work: impl Fn() -> Candle<Tensor>) -> Result<f64> {
        let done = || {
            let made = work()?;
            self.device().synchronize()?;
            drop(made);
            Ok(())
        };
        fastest_per_second(|| done().map_err(Self::failed("measure the device")))
    }
}
