//! A model directory in Hugging Face's layout: what is in it and what its digest is.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::causal_lm::HfTokenizer;
use crate::files::read_json;
use crate::info::DigestBuilder;
use crate::{Digest, Error, ErrorKind, Result};

const COMPONENT: &str = "model";

/// `config.json`, `tokenizer.json` and one or several `*.safetensors`.
#[derive(Clone, Debug)]
pub struct ModelDirectory {
    path: PathBuf,
    config: Value,
    weights: Vec<PathBuf>,
}

impl ModelDirectory {
    /// Looks at a directory: reads `config.json`, finds the weight files.
    ///
    /// # Errors
    /// When the directory or `config.json` is missing or malformed, there are no weights, or a shard
    /// that the index names is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let directory = Self::open_untrained(path)?;
        Ok(Self { weights: find_weights(&directory.path)?, ..directory })
    }

    /// The same for a directory that describes a model and need not hold its weights.
    ///
    /// # Errors
    /// When the directory or `config.json` is missing or malformed.
    pub fn open_untrained(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, COMPONENT, "open", "no such directory")
                .with_path(path)
                .with_remedy(
                    "name a directory with config.json, tokenizer.json and *.safetensors",
                ));
        }
        let config = read_json(path.join("config.json"))?;
        Ok(Self { path: path.to_path_buf(), config, weights: Vec::new() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.json` as it stands.
    #[must_use]
    pub const fn config(&self) -> &Value {
        &self.config
    }

    /// `model_type`, such as `gpt2` or `llama`.
    ///
    /// # Errors
    /// When `config.json` does not say.
    pub fn model_type(&self) -> Result<&str> {
        self.config.get("model_type").and_then(Value::as_str).ok_or_else(|| {
            self.config_error("no model type".into())
                .with_key("model_type")
                .with_remedy("for example \"gpt2\" or \"llama\"")
        })
    }

    /// `config.json` as a typed value.
    ///
    /// # Errors
    /// When a key is missing or of the wrong type; the key is named.
    pub fn parse_config<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.config).map_err(|e| self.config_error(e.to_string()).with_source(e))
    }

    /// The weight files, in the order of their names.
    #[must_use]
    pub fn weights(&self) -> &[PathBuf] {
        &self.weights
    }

    /// Its tokenizer, with the special ids of `config.json`. Models without a beginning-of-sequence
    /// id begin with their end-of-sequence token.
    ///
    /// # Errors
    /// When `tokenizer.json` is missing or malformed, `eos_token_id` is missing, or an id does not fit.
    pub fn tokenizer(&self) -> Result<HfTokenizer> {
        let eos = self.special_ids("eos_token_id")?;
        let Some(&first) = eos.first() else {
            return Err(self
                .config_error("no end-of-sequence token".into())
                .with_key("eos_token_id")
                .with_remedy("documents are joined and ended by it"));
        };
        let bos = self.special_ids("bos_token_id")?.first().copied().unwrap_or(first);
        HfTokenizer::open(&self.path.join("tokenizer.json"), bos, eos)
    }

    /// The digest of everything that decides the model's answers: configuration, tokenizer, weights.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn digest(&self) -> Result<Digest> {
        let mut builder = DigestBuilder::new();
        for name in ["config.json", "tokenizer.json"] {
            let file = self.path.join(name);
            if file.is_file() {
                builder.update(name).update_file(&file)?;
            }
        }
        for file in &self.weights {
            builder.update("weights").update_file(file)?;
        }
        Ok(builder.finish())
    }

    fn special_ids(&self, key: &'static str) -> Result<Vec<u32>> {
        let wrong =
            || self.config_error("neither a token id nor a list of them".into()).with_key(key);
        let id =
            |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(wrong);
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(ids)) => ids.iter().map(id).collect(),
            Some(value) => Ok(vec![id(value)?]),
        }
    }

    fn config_error(&self, message: String) -> Error {
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read the configuration", message)
            .with_path(self.path.join("config.json"))
    }
}

fn find_weights(directory: &Path) -> Result<Vec<PathBuf>> {
    let index_path = directory.join("model.safetensors.index.json");
    if index_path.is_file() {
        let index: Value = read_json(&index_path)?;
        let map = index.get("weight_map").and_then(Value::as_object).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, COMPONENT, "read the weight index", "no such map")
                .with_path(&index_path)
                .with_key("weight_map")
        })?;
        let mut shards: Vec<PathBuf> =
            map.values().filter_map(Value::as_str).map(|name| directory.join(name)).collect();
        shards.sort();
        shards.dedup();
        if let Some(missing) = shards.iter().find(|shard| !shard.is_file()) {
            return Err(Error::new(
                ErrorKind::NotFound,
                COMPONENT,
                "open",
                "a shard that model.safetensors.index.json names is missing",
            )
            .with_path(missing)
            .with_remedy("download the model again"));
        }
        return Ok(shards);
    }
    let single = directory.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    Err(Error::new(
        ErrorKind::NotFound,
        COMPONENT,
        "open",
        "no model.safetensors and no index of shards",
    )
    .with_path(directory)
    .with_remedy("PyTorch's *.bin weights must be converted to safetensors first"))
}
