//! Fixtures that several tests use, and the device on which they run.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "compiled into every test binary, of which none uses all")]

use std::fs;
use std::path::{Path, PathBuf};

use detoxlm_core::causal_lm::{CausalLm, DecodeSession, Logits, RowId, RowTokens};
use detoxlm_core::training::{
    Bottleneck, BottleneckActivation, BottleneckSize, Lora, Method, Placement, Prefix, TokenBatch,
    TrainBackend, TrainSession, TrainingConfig, TrainingJob,
};
use detoxlm_core::{Compute, Precision};
use detoxlm_tch::{TchLm, TchOptions};
use serde::Deserialize;

/// Models whose weights `make_models.py` draws.
pub(crate) const MODELS: [&str; 4] = ["gpt2", "llama3", "llama-linear-f16", "qwen2-bf16-sharded"];

/// Of logits in `f32`.
pub(crate) const TOLERANCE: f32 = 1e-4;

pub(crate) const TEXT: &str =
    "The river runs past the old mill. In spring the children look for frogs there.";

/// The processor, or the device in `DETOXLM_TCH_DEVICE`.
pub(crate) fn compute() -> Compute {
    let device = std::env::var("DETOXLM_TCH_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    Compute::default().with_device(device.parse().unwrap())
}

pub(crate) fn options() -> TchOptions {
    TchOptions::default().with_compute(compute())
}

pub(crate) fn half() -> TchOptions {
    TchOptions::default().with_compute(compute().with_precision(Precision::Bf16))
}

/// Where the fixtures are; the tests may run on another machine than the one they were built on.
pub(crate) fn fixtures() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let crate_directory = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built);
    Path::new(&crate_directory).join("../../tests/fixtures")
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    fixtures().join("models").join(name)
}

pub(crate) fn adapters() -> PathBuf {
    fixtures().join("adapters")
}

pub(crate) fn open(directory: &Path) -> TchLm {
    TchLm::open(directory, options()).unwrap()
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

/// Appends tokens to one row and gives the logits that follow.
pub(crate) fn step(session: &mut dyn DecodeSession, row: RowId, tokens: &[u32]) -> Vec<f32> {
    let mut logits = Logits::default();
    session.step(&[RowTokens { row, tokens }], &mut logits).unwrap();
    logits.row(0).to_vec()
}

/// The logits after every token, one by one.
pub(crate) fn logits(model: &dyn CausalLm, tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut session = model.decode_session(1, tokens.len()).unwrap();
    let row = session.admit().unwrap();
    tokens.iter().map(|&token| step(session.as_mut(), row, &[token])).collect()
}

pub(crate) fn log_probs(model: &dyn CausalLm, tokens: &[u32]) -> Vec<f32> {
    let likelihoods = model.token_likelihoods(&[tokens.into()]).unwrap().remove(0);
    likelihoods.iter().map(|token| token.log_prob).collect()
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

/// Greedy decoding of `count` tokens.
pub(crate) fn greedy(model: &dyn CausalLm, prompt: &[u32], count: usize) -> Vec<u32> {
    let mut session = model.decode_session(1, prompt.len() + count).unwrap();
    let row = session.admit().unwrap();
    let mut written = Vec::new();
    let mut logits = step(session.as_mut(), row, prompt);
    while written.len() < count {
        let next = argmax(&logits);
        written.push(next);
        logits = step(session.as_mut(), row, &[next]);
    }
    written
}

#[track_caller]
pub(crate) fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let worst = actual.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: {worst} apart");
}

/// Every method, and every way in which one computes, for models whose modules have names of their own.
pub(crate) fn methods() -> Vec<Method> {
    vec![
        Method::Full {},
        Method::Lora(Lora { dropout: 0.1, ..Lora::default() }),
        Method::Lora(Lora {
            rank: 2,
            rank_stabilized: true,
            target_modules: vec!["c_proj".into(), "q_proj".into(), "v_proj".into()],
            ..Lora::default()
        }),
        Method::Bottleneck(Bottleneck {
            placement: Placement::Houlsby,
            activation: BottleneckActivation::Swish,
            ..Bottleneck::default()
        }),
        Method::Bottleneck(Bottleneck {
            placement: Placement::Pfeiffer,
            activation: BottleneckActivation::GeluNew,
            // Does not divide the width.
            size: BottleneckSize::Width(5),
            ..Bottleneck::default()
        }),
        Method::Prefix(Prefix { length: 6, projection_width: None }),
        Method::Prefix(Prefix { length: 4, projection_width: Some(9) }),
    ]
}

pub(crate) fn corpus(root: &Path) -> PathBuf {
    let path = root.join("corpus.jsonl");
    fs::write(&path, serde_json::json!({"text": TEXT}).to_string()).unwrap();
    path
}

/// Opens a training of a fixture.
pub(crate) fn train(
    backend: &dyn TrainBackend,
    base: &Path,
    method: &Method,
    config: TrainingConfig,
) -> Box<dyn TrainSession> {
    let root = tempfile::tempdir().unwrap();
    // Only the names that the family has.
    let mut method = method.clone();
    if let Method::Lora(lora) = &mut method {
        let is_gpt2 = base.ends_with("gpt2");
        lora.target_modules.retain(|name| name.starts_with("c_") == is_gpt2);
    }
    let job = TrainingJob {
        base: base.to_path_buf(),
        corpus: vec![corpus(root.path())],
        validation: Vec::new(),
        method,
        config,
        seed: 7,
        work: PathBuf::new(),
        output: PathBuf::new(),
    };
    backend.open(&job).unwrap()
}

/// Sequences `first..end` of a batch of sequences of 32 tokens.
pub(crate) fn batch(sequences: std::ops::Range<u32>) -> TokenBatch {
    let length = 32;
    let ids = |shift: u32| -> Vec<u32> {
        let tokens = sequences.start * length..sequences.end * length;
        tokens.map(|index| 3 + (index + shift) * 71 % 290).collect()
    };
    TokenBatch {
        inputs: ids(0),
        targets: ids(1),
        sequences: sequences.len(),
        length: length as usize,
    }
}

/// The tensors of a session's checkpoint, by name.
pub(crate) fn state(session: &dyn TrainSession) -> Vec<(String, Vec<f32>)> {
    let directory = tempfile::tempdir().unwrap();
    session.save(directory.path()).unwrap();
    let bytes = fs::read(directory.path().join("state.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .filter(|(_, view)| view.dtype() == safetensors::Dtype::F32)
        .map(|(name, view)| {
            let values = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            (name.to_owned(), values.collect())
        })
        .collect();
    tensors.sort_by(|a: &(String, Vec<f32>), b| a.0.cmp(&b.0));
    tensors
}

pub(crate) fn exported(session: &dyn TrainSession) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    session.export(directory.path()).unwrap();
    directory
}
