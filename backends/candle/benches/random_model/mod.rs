//! Models of the GPT-2 family with random weights.

use std::fs;
use std::path::Path;

use serde_json::json;

/// The parts of a GPT-2's shape that benchmarks vary.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) vocabulary: usize,
}

/// Writes a new model directory with a context of 1,024 tokens. The tokenizer is that of a test
/// fixture: its ids are a part of the vocabulary.
pub(crate) fn write(directory: &Path, shape: Shape) {
    let description = tempfile::tempdir().expect("a directory");
    let config = json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": shape.vocabulary,
        "n_positions": 1024,
        "n_embd": shape.width,
        "n_layer": shape.layers,
        "n_head": shape.heads,
        "bos_token_id": 0,
        "eos_token_id": 0,
    });
    fs::write(description.path().join("config.json"), config.to_string()).expect("a description");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models/gpt2");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(Path::new(fixture).join(name), description.path().join(name))
            .expect("a tokenizer");
    }
    detoxlm_candle::initialise(description.path(), 1, directory).expect("a model");
}
