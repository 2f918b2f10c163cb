//! Short ways to train a model.

use std::fs;
use std::path::{Path, PathBuf};

use detoxlm_core::training::{
    Bottleneck, BottleneckActivation, BottleneckSize, Lora, Method, Placement, Prefix, TokenBatch,
    TrainBackend, TrainSession, TrainingConfig, TrainingJob,
};

/// What is trained on.
pub const TEXT: &str =
    "The river runs past the old mill. In spring the children look for frogs there.";

/// Every method, and every way in which one computes, for models whose modules have names of their own.
#[must_use]
pub fn methods() -> Vec<Method> {
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

/// Writes the text as a corpus.
#[must_use]
pub fn corpus(root: &Path) -> PathBuf {
    let path = root.join("corpus.jsonl");
    fs::write(&path, serde_json::json!({"text": TEXT}).to_string()).unwrap();
    path
}

/// Opens a training of a fixture, by its path.
#[must_use]
pub fn train(
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
#[must_use]
pub fn batch(sequences: std::ops::Range<u32>) -> TokenBatch {
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
#[must_use]
pub fn state(session: &dyn TrainSession) -> Vec<(String, Vec<f32>)> {
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

/// What a training gives.
#[must_use]
pub fn exported(session: &dyn TrainSession) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    session.export(directory.path()).unwrap();
    directory
}
