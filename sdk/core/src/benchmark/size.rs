use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::COMPONENT;
use crate::{Error, ErrorKind, ModelDirectory, Result};

/// Longer headers are no safetensors file's.
const LONGEST_HEADER: u64 = 100 << 20;

/// How large a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSize {
    /// Its parameters.
    pub parameters: u64,
    /// Those that every token is multiplied with: all but an embedding table that is only looked up in,
    /// because the head has a matrix of its own.
    pub multiplied: u64,
}

impl ModelSize {
    /// Reads the sizes of the tensors in a model directory, not the tensors.
    ///
    /// # Errors
    /// When a file cannot be read or is no safetensors file.
    pub fn of(model: &ModelDirectory) -> Result<Self> {
        let mut parameters = 0;
        for file in model.weights() {
            parameters += elements(file)?;
        }
        let number = |key| model.config().get(key).and_then(Value::as_u64);
        let is_tied = model.config().get("tie_word_embeddings").and_then(Value::as_bool);
        // `transformers` ties GPT-2's by default, and no other family's.
        let is_tied =
            is_tied.unwrap_or_else(|| model.model_type().is_ok_and(|name| name == "gpt2"));
        let table = number("vocab_size").zip(number("hidden_size").or_else(|| number("n_embd")));
        let looked_up = match table {
            Some((vocabulary, width)) if !is_tied => vocabulary * width,
            _ => 0,
        };
        Ok(Self { parameters, multiplied: parameters.saturating_sub(looked_up) })
    }

    /// Floating-point operations that a token takes forward: a multiplication and an addition for each
    /// parameter (Kaplan et al. 2020, "Scaling Laws for Neural Language Models", without attention's own
    /// products, which grow with the length).
    #[must_use]
    pub const fn operations(self) -> f64 {
        2.0 * self.multiplied as f64
    }
}

/// The elements of all tensors of a safetensors file, by its header.
fn elements(path: &Path) -> Result<u64> {
    let failed = |e| Error::io(COMPONENT, "read", path, e);
    let malformed = |message: &'static str| {
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read the sizes of tensors", message)
            .with_path(path)
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(failed)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(malformed("it is no safetensors file: its header has no end"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(failed)?;
    let header: Map<String, Value> = serde_json::from_slice(&header)
        .map_err(|e| malformed("its header is no JSON").with_source(e))?;
    let mut elements = 0;
    for (name, tensor) in &header {
        if name == "__metadata__" {
            continue;
        }
        let shape = tensor.get("shape").and_then(Value::as_array);
        let shape =
            shape.ok_or_else(|| malformed("a tensor has no shape").with_key(name.clone()))?;
        elements += shape.iter().filter_map(Value::as_u64).product::<u64>();
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn model(config: &str, header: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("config.json"), config).unwrap();
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        fs::write(directory.path().join("model.safetensors"), bytes).unwrap();
        directory
    }

    fn size(config: &str, header: &str) -> Result<ModelSize> {
        let directory = model(config, header);
        ModelSize::of(&ModelDirectory::open(directory.path())?)
    }

    const HEADER: &str = r#"{"__metadata__": {"format": "pt"}, "a": {"dtype": "F32",
        "shape": [10, 4], "data_offsets": [0, 160]}, "b": {"dtype": "F16", "shape": []}}"#;

    #[test]
    fn a_table_that_is_only_looked_up_in_is_not_multiplied_with() {
        let tied = size(r#"{"model_type": "gpt2", "vocab_size": 10, "n_embd": 4}"#, HEADER);
        assert_eq!(tied.unwrap(), ModelSize { parameters: 41, multiplied: 41 });
        let llama = r#"{"model_type": "llama", "vocab_size": 10, "hidden_size": 2}"#;
        let untied = size(llama, HEADER).unwrap();
        assert_eq!(untied, ModelSize { parameters: 41, multiplied: 21 });
        assert_eq!(untied.operations(), 42.0);
    }

    #[test]
    fn what_is_no_safetensors_file_is_named() {
        for header in ["{", r#"{"a": {"dtype": "F32"}}"#] {
            let error = size(r#"{"model_type": "gpt2"}"#, header).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.path().unwrap().ends_with("model.safetensors"));
        }
    }
}
