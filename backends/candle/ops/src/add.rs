//! Residual addition.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use crate::buffer::{CHUNK, build};
use crate::floats::{fusable, slice};
use crate::{check, composed};

/// `a + b`, for tensors of one shape.
///
/// candle's own addition uses one thread.
///
/// # Errors
/// If the shapes differ, or the devices or dtypes do.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check::same("add", ("a", a), ("b", b))?;
    if !fusable(&[a, b]) {
        return composed::add(a, b);
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, Add)
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (slice(a, a_layout)?, slice(b, b_layout)?);
        let sum = build(a.len(), CHUNK, |index, sum| {
            let (a, b) = (&a[index * CHUNK..], &b[index * CHUNK..]);
            for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
                *sum = a + b;
            }
        });
        Ok((CpuStorage::F32(sum), a_layout.shape().clone()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _sum: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let to = |tensor: &Tensor| tensor.track_op().then(|| gradient.clone());
        Ok((to(a), to(b)))
    }
}
