//! The numbers of a tensor, where they are.

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, bail};

/// Reads the values of a contiguous `f32` tensor on the CPU, row-major.
pub(crate) fn read<R>(tensor: &Tensor, with: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    Ok(with(slice(&storage, layout)?))
}

/// The values of a storage that is held for reading.
pub(crate) fn slice<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    let (Storage::Cpu(storage), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
        bail!("parameters and gradients are contiguous and on the CPU, but this is {layout:?}")
    };
    Ok(&storage.as_slice()?[start..end])
}

/// Changes the values of a contiguous `f32` tensor on the CPU in place, without an allocation.
///
/// Everything that shares its storage sees the change: this is for variables and gradients between
/// two passes, when no graph holds them.
#[expect(clippy::disallowed_methods, reason = "between two passes no graph has seen the tensor")]
pub(crate) fn modify(tensor: &Tensor, with: impl FnMut(&mut [f32])) -> Result<()> {
    tensor.inplace_op1(&Modify(std::cell::RefCell::new(with)))
}

/// candle lends operations out shared, so the closure hides in a cell.
struct Modify<F>(std::cell::RefCell<F>);

impl<F: FnMut(&mut [f32])> InplaceOp1 for Modify<F> {
    fn name(&self) -> &'static str {
        "modify"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            bail!("only contiguous f32 values can be modified in place, but these are {layout:?}")
        };
        (self.0.borrow_mut())(&mut values[start..end]);
        Ok(())
    }
}
