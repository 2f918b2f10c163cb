//! A trained model as a directory that `transformers` and this backend read.

use std::path::Path;

use candle_core::Var;
use detoxlm_core::files::write_atomically;
use detoxlm_core::{Error, ModelDirectory, Result};
use serde_json::Value;

use super::state::with_entries;
use crate::error::COMPONENT;
use crate::safetensors_file;

/// What belongs to a model beside its weights and configuration.
const COPIED: [&str; 10] = [
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

/// Writes the parameters under the names and in the shapes of the base model, in `f32` and in one
/// file. A tied head is the embedding and is not written again.
pub(super) fn export(
    base: &ModelDirectory,
    names: &[String],
    variables: &[Var],
    directory: &Path,
) -> Result<()> {
    let config = format!("{:#}\n", in_single_precision(base.config().clone()));
    write_atomically(directory.join("config.json"), config)?;
    for name in COPIED {
        let source = base.path().join(name);
        if source.is_file() {
            std::fs::copy(&source, directory.join(name))
                .map_err(|e| Error::io(COMPONENT, "copy a file of the base model", &source, e))?;
        }
    }
    with_entries(names, variables, |entries| {
        safetensors_file::write(&directory.join("model.safetensors"), entries)
    })
}

/// The configuration with the type of the weights that we write: `torch_dtype` until version 5 of
/// `transformers`, which calls it `dtype` and reads both.
fn in_single_precision(mut config: Value) -> Value {
    if let Value::Object(map) = &mut config {
        let key = if map.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        if map.contains_key("torch_dtype") {
            map.insert("torch_dtype".into(), "float32".into());
        }
        map.insert(key.into(), "float32".into());
    }
    config
}
