//! The small language model that comes with this crate.

use std::path::Path;

use detoxlm_core::Result;
use detoxlm_core::files::{create_new_directory, write_atomically};

/// The model directory, file by file.
const FILES: [(&str, &[u8]); 4] = [
    ("config.json", include_bytes!("../embedded/config.json")),
    ("tokenizer.json", include_bytes!("../embedded/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../embedded/tokenizer_config.json")),
    ("model.safetensors", include_bytes!("../embedded/model.safetensors")),
];

/// Writes the embedded language model as a new model directory.
///
/// It is a GPT-2 of 6 million parameters with a vocabulary of 8,192 and a context of 256 tokens,
/// trained from random weights on Reddit posts and Wikipedia talk pages: large enough to have a
/// perplexity worth measuring and to be toxic at times, small enough to be detoxified in minutes on
/// two cores. What it was trained on and how good it is, its card says (`embedded/README.md`).
///
/// # Errors
/// When `directory` exists, or cannot be written.
pub fn write_embedded_model(directory: impl AsRef<Path>) -> Result<()> {
    create_new_directory(directory, |directory| {
        FILES.iter().try_for_each(|(name, bytes)| write_atomically(directory.join(name), bytes))
    })
}
