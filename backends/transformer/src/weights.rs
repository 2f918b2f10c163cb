//! Tensors by name out of one or several safetensors files.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use detoxlm_core::{Error, ErrorKind, Result};
use half::{bf16, f16};
use memmap2::Mmap;
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::error::error;

const OPERATION: &str = "read the weights";

/// Elements a thread widens at a time.
const CHUNK: usize = 1 << 16;

/// Open weight files. Nothing is read before a tensor is asked for.
#[derive(Debug)]
pub struct Weights {
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, Stored>,
}

#[derive(Debug)]
struct WeightFile {
    path: PathBuf,
    bytes: Mmap,
}

/// Where a tensor lies.
#[derive(Debug)]
struct Stored {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Bytes from the beginning of the file.
    range: std::ops::Range<usize>,
}

impl Weights {
    /// Opens the files and reads what tensors they hold.
    ///
    /// # Errors
    /// When a file cannot be read, is not what its header says, or two hold a tensor of one name.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut weights = Self { files: Vec::with_capacity(paths.len()), tensors: BTreeMap::new() };
        for path in paths {
            weights.add(path)?;
        }
        Ok(weights)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let bytes = map(path)?;
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|e| malformed(path, e))?;
        // The length of the header itself takes eight bytes.
        let start = size_of::<u64>() + header;
        for (name, info) in metadata.tensors() {
            let (begin, end) = info.data_offsets;
            let stored = Stored {
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                range: start + begin..start + end,
            };
            if let Some(earlier) = self.tensors.insert(name.clone(), stored) {
                let first = self.files.get(earlier.file).map_or(path, |file| &file.path);
                return Err(error(
                    ErrorKind::InvalidInput,
                    OPERATION,
                    format!("also in {}", first.display()),
                )
                .with_path(path)
                .with_key(name));
            }
        }
        self.files.push(WeightFile { path: path.to_path_buf(), bytes });
        Ok(())
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Every tensor's name, in order, and its file.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.tensors.iter().map(|(name, at)| (name.as_str(), self.files[at.file].path.as_path()))
    }

    /// A tensor's shape.
    ///
    /// # Errors
    /// When it is missing.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        let stored = self.tensors.get(name).ok_or_else(|| self.missing(name))?;
        Ok(&stored.shape)
    }

    /// A tensor of this shape as `f32`, row-major.
    ///
    /// # Errors
    /// When it is missing, of another shape, or not of floating-point numbers.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let Some(stored) = self.tensors.get(name) else {
            return Err(self.missing(name).with_remedy(
                "the configuration describes one with this tensor: use the weights and the \
                 configuration that belong together",
            ));
        };
        let file = &self.files[stored.file];
        let wrong = |kind, message: String| {
            error(kind, OPERATION, message).with_path(&file.path).with_key(name.to_owned())
        };
        if stored.shape != shape {
            return Err(wrong(
                ErrorKind::Incompatible,
                format!("its shape is {:?}, but config.json makes it {shape:?}", stored.shape),
            ));
        }
        let bytes = &file.bytes[stored.range.clone()];
        match stored.dtype {
            Dtype::F32 => Ok(widen(bytes, f32::from_le_bytes)),
            Dtype::F16 => Ok(widen(bytes, |bytes| f16::from_le_bytes(bytes).to_f32())),
            Dtype::BF16 => Ok(widen(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32())),
            other => Err(wrong(
                ErrorKind::Unsupported,
                format!("stored as {other:?}, which is not among F32, F16 and BF16"),
            )),
        }
    }

    /// A scalar counter.
    ///
    /// # Errors
    /// When it is missing or not one 64-bit unsigned number.
    pub fn read_counter(&self, name: &str) -> Result<u64> {
        let stored = self.tensors.get(name).filter(|stored| stored.dtype == Dtype::U64);
        stored
            .and_then(|stored| self.files[stored.file].bytes.get(stored.range.clone()))
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_le_bytes)
            .ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Error {
        let missing =
            error(ErrorKind::InvalidInput, OPERATION, "no such tensor").with_key(name.to_owned());
        match self.files.first() {
            Some(file) => missing.with_path(&file.path),
            None => missing,
        }
    }
}

fn map(path: &Path) -> Result<Mmap> {
    let failed = |e| Error::io(crate::error::COMPONENT, OPERATION, path, e);
    let file = File::open(path).map_err(failed)?;
    // SAFETY: the map is only read. As with every reader of mapped weights, the file must not be
    // changed while it is open; we never write to a file of this name in place.
    unsafe { Mmap::map(&file) }.map_err(failed)
}

fn malformed(path: &Path, e: SafeTensorError) -> Error {
    let message = match e {
        SafeTensorError::MetadataIncompleteBuffer
        | SafeTensorError::InvalidHeaderLength
        | SafeTensorError::HeaderTooSmall => "the file is not as long as its header says",
        _ => "not a safetensors file",
    };
    error(ErrorKind::InvalidInput, OPERATION, message)
        .with_path(path)
        .with_remedy("copy or download the file again")
        .with_source(e)
}

/// Numbers of `N` bytes each as `f32`.
fn widen<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32 + Sync) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / N];
    let (numbers, _) = bytes.as_chunks::<N>();
    values.par_chunks_mut(CHUNK).zip(numbers.par_chunks(CHUNK)).for_each(|(values, numbers)| {
        for (value, &number) in values.iter_mut().zip(numbers) {
            *value = convert(number);
        }
    });
    values
}
