//! The values of a tensor without a copy.

use candle_core::{Result, Storage, Tensor, bail};

/// Calls `use_values` with the values of an `f32` tensor on the CPU, row-major.
pub(crate) fn with_values<R>(
    tensor: &Tensor,
    use_values: impl FnOnce(&[f32]) -> Result<R>,
) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        bail!("inference kernels run on the CPU, not on {:?}", tensor.device());
    };
    let start = layout.start_offset();
    use_values(&storage.as_slice::<f32>()?[start..start + tensor.elem_count()])
}
