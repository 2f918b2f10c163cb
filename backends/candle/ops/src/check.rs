//! Shapes that do not fit, as sentences.

use candle_core::{Result, Tensor, bail};

/// The rows and columns of `tensor`, which must be a matrix.
pub(crate) fn matrix(op: &str, name: &str, tensor: &Tensor) -> Result<(usize, usize)> {
    match *tensor.dims() {
        [rows, columns] => Ok((rows, columns)),
        _ => bail!("{op}: {name} must be a matrix, but its shape is {:?}", tensor.dims()),
    }
}

/// That `tensor` has one value for each of the `columns` of `other`.
pub(crate) fn vector(
    op: &str,
    name: &str,
    tensor: &Tensor,
    columns: usize,
    (other_name, other): (&str, &Tensor),
) -> Result<()> {
    if tensor.dims() != [columns] {
        bail!(
            "{op}: {name} has the shape {:?}, but {other_name} of shape {:?} needs it to be [{columns}]",
            tensor.dims(),
            other.dims(),
        )
    }
    Ok(())
}

/// That two tensors have one shape.
pub(crate) fn same(op: &str, a: (&str, &Tensor), b: (&str, &Tensor)) -> Result<()> {
    if a.1.dims() != b.1.dims() {
        bail!(
            "{op}: {} has the shape {:?} and {} has {:?}, but they must be the same",
            a.0,
            a.1.dims(),
            b.0,
            b.1.dims(),
        )
    }
    Ok(())
}

/// That every id is below `size`, the number of rows of a vocabulary.
pub(crate) fn ids(
    op: &str,
    what: &str,
    ids: impl Iterator<Item = (usize, u32)>,
    size: usize,
) -> Result<()> {
    for (index, id) in ids {
        if id as usize >= size {
            bail!("{op}: {what} {id} at index {index} is outside the vocabulary of {size} tokens")
        }
    }
    Ok(())
}
