//! Residual addition, scaled or not.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use crate::buffer::{CHUNK, build};
use crate::floats::{fusable, gradient_of, read, slice};
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
    a.contiguous()?.apply_op2(&b.contiguous()?, ScaledAdd { scale: 1.0 })
}

/// `x + scale * update`, for tensors of one shape: how a low-rank update of a frozen layer joins the
/// layer's own result (Hu et al. 2021, with their `alpha / r` as the scale).
///
/// # Errors
/// If the shapes differ, or the devices or dtypes do.
pub fn scaled_add(x: &Tensor, update: &Tensor, scale: f32) -> Result<Tensor> {
    check::same("scaled_add", ("x", x), ("update", update))?;
    if !fusable(&[x, update]) {
        return composed::scaled_add(x, update, scale);
    }
    x.contiguous()?.apply_op2(&update.contiguous()?, ScaledAdd { scale })
}

struct ScaledAdd {
    scale: f32,
}

impl CustomOp2 for ScaledAdd {
    fn name(&self) -> &'static str {
        "scaled_add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        update: &CpuStorage,
        update_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, update) = (slice(x, x_layout)?, slice(update, update_layout)?);
        let sum = build(x.len(), CHUNK, |index, sum| {
            let (x, update) = (&x[index * CHUNK..], &update[index * CHUNK..]);
            for ((sum, &x), &update) in sum.iter_mut().zip(x).zip(update) {
                *sum = x + self.scale * update;
            }
        });
        Ok((CpuStorage::F32(sum), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        update: &Tensor,
        _sum: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let to_x = x.track_op().then(|| gradient.clone());
        let to_update = if !update.track_op() {
            None
        } else if self.scale == 1.0 {
            Some(gradient.clone())
        } else {
            let gradient = gradient.contiguous()?;
            let values = read(&gradient)?;
            let scaled = build(values.len(), CHUNK, |index, scaled| {
                for (scaled, &value) in scaled.iter_mut().zip(&values[index * CHUNK..]) {
                    *scaled = self.scale * value;
                }
            });
            gradient_of(update, scaled)?
        };
        Ok((to_x, to_update))
    }
}
