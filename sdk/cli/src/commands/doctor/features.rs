//! What this program was built with.

use super::Finding;

/// A feature, whether this build has it, and what it is for.
macro_rules! features {
    ($($name:literal: $purpose:literal,)*) => {
        [$(($name, cfg!(feature = $name), $purpose)),*]
    };
}

pub(super) fn findings() -> Vec<Finding> {
    let features = features! {
        "candle": "GPT-2 and Llama families, generation and training",
        "candle-cuda": "the same on NVIDIA GPUs",
        "candle-metal": "the same on Apple's GPUs",
        "defaults": "the embedded model and classifier, and `quickstart`",
        "hub": "models by their name on the Hugging Face Hub",
        "onnx": "ONNX classifiers on the pure-Rust engine",
        "onnxruntime": "ONNX classifiers on ONNX Runtime",
        "openai": "moderation endpoints and judging language models",
        "perspective": "Perspective API: live, recorded, replayed",
        "plugins": "scoring filters in WebAssembly",
        "profanity-check": "the word-counting classifier, a second judge",
        "serve": "a server that speaks Perspective's protocol",
        "tch": "GPT-2 and Llama families on libtorch, generation and training, GPUs too",
        "vader": "how kind a text sounds, for comparing groups of people",
    };
    features
        .into_iter()
        .map(|(name, is_there, purpose)| {
            if is_there {
                return Finding::ready(name, purpose);
            }
            Finding::absent(name, purpose, format!("build with `--features {name}`"))
        })
        .collect()
}
