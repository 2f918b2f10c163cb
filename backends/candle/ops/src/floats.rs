//! Plain slices out of candle's storage.

use std::ops::Deref;

use candle_core::{CpuStorage, DType, Error, Layout, Result, Storage, Tensor, bail};

/// Whether the fused kernels can take these tensors.
pub(crate) fn fusable(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|tensor| tensor.device().is_cpu() && tensor.dtype() == DType::F32)
}

/// The elements of a contiguous CPU storage.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a fused kernel was given a tensor that is not contiguous: {layout:?}"),
    }
}

/// The elements of a contiguous `f32` tensor on the CPU, for as long as the guard lives.
pub(crate) fn read(tensor: &Tensor) -> Result<impl Deref<Target = [f32]> + '_> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a fused kernel was given a tensor that is not contiguous: {layout:?}")
    };
    // Checked here once, so that dereferencing cannot fail.
    match &*storage {
        Storage::Cpu(CpuStorage::F32(_)) => Ok(Floats { storage, start, end }),
        _ => Err(Error::Msg("a fused kernel was given a tensor that is not f32 on the CPU".into())),
    }
}

/// The gradient of an argument as candle wants it: in its shape, and none where no variable leads to
/// the argument, for candle would keep it.
pub(crate) fn gradient_of(argument: &Tensor, values: Vec<f32>) -> Result<Option<Tensor>> {
    if !argument.track_op() {
        return Ok(None);
    }
    Tensor::from_vec(values, argument.shape(), argument.device()).map(Some)
}

struct Floats<G> {
    storage: G,
    start: usize,
    end: usize,
}

impl<G: Deref<Target = Storage>> Deref for Floats<G> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.start..self.end],
            _ => &[],
        }
    }
}
