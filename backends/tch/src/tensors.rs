//! Numbers between the host and the device.

use tch::{Kind, TchError, Tensor};

use crate::error::Computed;
use crate::place::Place;

/// A size as libtorch wants it. No tensor that fits a memory is larger.
pub(crate) fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Sizes as libtorch wants them.
pub(crate) fn sizes(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&number| size(number)).collect()
}

/// Row-major values on the device, of this kind.
pub(crate) fn upload(
    values: &[f32],
    shape: &[usize],
    place: Place,
    kind: Kind,
) -> Computed<Tensor> {
    let host = Tensor::f_from_slice(values)?;
    host.f_to(place.device)?.f_totype(kind)?.f_reshape(sizes(shape))
}

/// The values of a tensor, row-major.
pub(crate) fn download(tensor: &Tensor) -> Computed<Vec<f32>> {
    let mut values = vec![0.0; tensor.numel()];
    download_into(tensor, &mut values)?;
    Ok(values)
}

/// The same into a buffer of as many values, in one copy: logits come this way, many at a time.
pub(crate) fn download_into(tensor: &Tensor, values: &mut [f32]) -> Computed<()> {
    let shape = tensor.size();
    let strides: Vec<i64> =
        (0..shape.len()).map(|index| shape[index + 1..].iter().product()).collect();
    if tensor.numel() != values.len() {
        return Err(TchError::Shape(format!("{shape:?} is not {} values", values.len())));
    }
    // SAFETY: the buffer holds as many values as the shape says, is borrowed alone and outlives the
    // tensor over it, which nobody else sees.
    let mut buffer = unsafe {
        let start = values.as_mut_ptr().cast_const().cast::<u8>();
        Tensor::f_from_blob(start, &shape, &strides, Kind::Float, tch::Device::Cpu)?
    };
    buffer.f_copy_(&tensor.f_detach()?)
}

/// Token ids on the device.
pub(crate) fn upload_ids(ids: &[u32], shape: &[usize], place: Place) -> Computed<Tensor> {
    let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    Tensor::f_from_slice(&ids)?.f_to(place.device)?.f_reshape(sizes(shape))
}

/// A copy of the handles, not of what they point to.
pub(crate) fn share(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(Tensor::shallow_clone).collect()
}
