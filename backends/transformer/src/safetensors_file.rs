//! Writing tensors to a safetensors file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use detoxlm_core::{Error, ErrorKind, Result};
use half::f16;
use safetensors::tensor::serialize_to_file;
use safetensors::{Dtype, SafeTensorError, View};

use crate::error::{COMPONENT, error};

/// What a file holds under one name.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Row-major, of this shape.
    Tensor {
        /// Its dimensions.
        shape: &'a [usize],
        /// As many as the shape says.
        values: &'a [f32],
    },
    /// The same, stored in half precision.
    Half {
        /// Its dimensions.
        shape: &'a [usize],
        /// As many as the shape says.
        values: &'a [f32],
    },
    /// A scalar.
    Counter(u64),
}

impl View for Entry<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Tensor { .. } => Dtype::F32,
            Self::Half { .. } => Dtype::F16,
            Self::Counter(_) => Dtype::U64,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Tensor { shape, .. } | Self::Half { shape, .. } => shape,
            Self::Counter(_) => &[],
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Tensor { values, .. } => to_bytes(values, f32::to_le_bytes).into(),
            Self::Half { values, .. } => {
                to_bytes(values, |value| f16::from_f32(value).to_le_bytes()).into()
            }
            Self::Counter(count) => count.to_le_bytes().to_vec().into(),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Tensor { values, .. } => size_of_val(*values),
            Self::Half { values, .. } => values.len() * size_of::<f16>(),
            Self::Counter(_) => size_of::<u64>(),
        }
    }
}

fn to_bytes<const N: usize>(values: &[f32], convert: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    let mut bytes = vec![0; N * values.len()];
    for (bytes, &value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *bytes = convert(value);
    }
    bytes
}

/// Writes a file. One tensor at a time is copied into the byte order of the format.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, entries: Vec<(String, Entry<'_>)>) -> Result<()> {
    // `transformers` refuses weights that do not say which framework's layout they have.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize_to_file(entries, Some(metadata), path).map_err(|e| match e {
        SafeTensorError::IoError(e) => Error::io(COMPONENT, "write tensors", path, e),
        e => error(ErrorKind::Internal, "write tensors", e.to_string())
            .with_path(path)
            .with_source(e),
    })
}
