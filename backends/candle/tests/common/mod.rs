//! Fixtures that several tests use.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "compiled into every test binary, of which none uses all")]

use std::fs;
use std::path::{Path, PathBuf};

use detoxlm_candle::{CandleLm, CandleOptions};
use detoxlm_core::causal_lm::{CausalLm, DecodeSession, Logits, RowId, RowTokens};
use serde::Deserialize;
use serde_json::Value;

/// Models whose weights `make_models.py` draws.
pub(crate) const MODELS: [&str; 4] = ["gpt2", "llama3", "llama-linear-f16", "qwen2-bf16-sharded"];

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models")).join(name)
}

pub(crate) fn open(directory: &Path) -> CandleLm {
    CandleLm::open(directory, CandleOptions::default().with_threads(2)).unwrap()
}

/// What `transformers` computes.
#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) text: String,
    pub(crate) text_ids: Vec<u32>,
    pub(crate) sequences: Vec<ExpectedSequence>,
    pub(crate) token_log_probs: Vec<f32>,
    pub(crate) perplexity: f64,
}

#[derive(Deserialize)]
pub(crate) struct ExpectedSequence {
    pub(crate) ids: Vec<u32>,
    pub(crate) logits: Vec<f32>,
    pub(crate) greedy: Vec<u32>,
}

pub(crate) fn expected(name: &str) -> Expected {
    let text = fs::read_to_string(fixture(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
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

/// Appends tokens to one row and gives the logits that follow.
pub(crate) fn step(session: &mut dyn DecodeSession, row: RowId, tokens: &[u32]) -> Vec<f32> {
    let mut logits = Logits::default();
    session.step(&[RowTokens { row, tokens }], &mut logits).unwrap();
    logits.row(0).to_vec()
}

/// The most probable next token.
pub(crate) fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = index;
        }
    }
    best as u32
}

/// Greedy decoding until `stop` or for `count` tokens.
pub(crate) fn greedy(
    model: &CandleLm,
    prompt: &[u32],
    count: usize,
    stop: Option<u32>,
) -> Vec<u32> {
    let mut session = model.decode_session(1, prompt.len() + count).unwrap();
    let row = session.admit().unwrap();
    let mut written = Vec::new();
    let mut logits = step(session.as_mut(), row, prompt);
    while written.len() < count {
        let next = argmax(&logits);
        if Some(next) == stop {
            break;
        }
        written.push(next);
        logits = step(session.as_mut(), row, &[next]);
    }
    written
}

pub(crate) fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let worst = actual.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: {worst} apart");
}
