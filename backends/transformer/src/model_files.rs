//! What belongs to a model directory beside its weights.

use std::path::Path;

use detoxlm_core::files::write_json;
use detoxlm_core::{Error, ModelDirectory, Result};
use serde_json::Value;

use crate::error::COMPONENT;

const COMPANIONS: [&str; 10] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "generation_config.json",
];

/// Writes the configuration of `base`, with the type that the weights will have (`float32`,
/// `float16`), and copies its tokenizer and generation settings.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy(base: &ModelDirectory, dtype: &str, directory: &Path) -> Result<()> {
    write_json(directory.join("config.json"), &with_dtype(base.config().clone(), dtype))?;
    for name in COMPANIONS {
        let source = base.path().join(name);
        if source.is_file() {
            std::fs::copy(&source, directory.join(name))
                .map_err(|e| Error::io(COMPONENT, "copy a file of the base model", &source, e))?;
        }
    }
    Ok(())
}

/// The type's key is `torch_dtype` until version 5 of `transformers`, which calls it `dtype` and
/// reads both.
fn with_dtype(mut config: Value, dtype: &str) -> Value {
    if let Value::Object(map) = &mut config {
        let key = if map.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        if map.contains_key("torch_dtype") {
            map.insert("torch_dtype".into(), dtype.into());
        }
        map.insert(key.into(), dtype.into());
    }
    config
}
