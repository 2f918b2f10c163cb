//! What bounds a model where libtorch computes.

use detoxlm_core::benchmark::{Ceilings, fastest_per_second};
use detoxlm_core::{Compute, Result};
use detoxlm_transformer::eager::Place as _;
use tch::{Kind, Tensor};

use crate::error::failed;
use crate::options::TchOptions;
use crate::place::TchPlace;

/// Elements that are read: 256 MiB, of which no cache holds much.
const ELEMENTS: i64 = 64 << 20;

/// Measures them on the device and in the numbers that are asked for.
///
/// # Errors
/// When the device is not there.
pub(crate) fn ceilings(compute: Compute) -> Result<Ceilings> {
    let place = TchPlace::find(TchOptions::default().with_compute(compute))?;
    // Larger products keep a GPU busy; on a processor they would only take longer.
    let side: i64 = if place.is_gpu() { 8192 } else { 1024 };
    let matrix =
        || Tensor::f_randn([side, side], (place.kind(), place.device)).map_err(failed("multiply"));
    let (one, other) = (matrix()?, matrix()?);
    let products = fastest_per_second(|| {
        let product = one.f_matmul(&other).map_err(failed("multiply"))?;
        wait(&product)
    })?;
    let vector = Tensor::f_ones([ELEMENTS], (Kind::Float, place.device)).map_err(failed("read"))?;
    let readings =
        fastest_per_second(|| wait(&vector.f_sum(Kind::Float).map_err(failed("read"))?))?;
    Ok(Ceilings {
        operations: 2.0 * (side as f64).powi(3) * products,
        bytes: (ELEMENTS * 4) as f64 * readings,
    })
}

/// Until a result is there: a GPU says that work is done when it has only been asked for.
fn wait(result: &Tensor) -> Result<()> {
    let first = result.f_view(-1).and_then(|all| all.f_get(0)).map_err(failed("wait"))?;
    first.f_double_value(&[]).map(drop).map_err(failed("wait"))
}
