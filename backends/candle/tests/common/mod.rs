//! Models that several tests open, spoil and look into.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "compiled into every test binary, of which none uses all")]

use std::fs;
use std::path::Path;

use detoxlm_candle::{CandleLm, CandleOptions};
use detoxlm_test_models::fixture;
use serde_json::Value;

pub(crate) fn open(directory: &Path) -> CandleLm {
    CandleLm::open(directory, CandleOptions::default().with_threads(2)).unwrap()
}

/// A copy of a fixture that a test may spoil.
pub(crate) fn copy_of(name: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::write(copy.path().join(path.file_name().unwrap()), fs::read(&path).unwrap()).unwrap();
    }
    copy
}

/// Sets a key of a directory's `config.json`.
pub(crate) fn configure(directory: &Path, key: &str, value: Value) {
    let path = directory.join("config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    config[key] = value;
    fs::write(&path, config.to_string()).unwrap();
}

/// A tensor with its name, as a safetensors file holds it.
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: safetensors::Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// Rewrites a weight file with its tensors changed.
pub(crate) fn rewrite(file: &Path, change: impl FnOnce(&mut Vec<Tensor>)) {
    let bytes = fs::read(file).unwrap();
    let mut tensors = tensors(&bytes);
    change(&mut tensors);
    let views = tensors.iter().map(|tensor| {
        let shape = tensor.shape.clone();
        let view = safetensors::tensor::TensorView::new(tensor.dtype, shape, &tensor.bytes);
        (tensor.name.clone(), view.unwrap())
    });
    fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

pub(crate) fn tensors(bytes: &[u8]) -> Vec<Tensor> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| Tensor {
            name: name.to_owned(),
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        })
        .collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}
