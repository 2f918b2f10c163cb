//! A model directory in Hugging Face's layout: what is in it and what its digest is.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::adapter::AdapterDirectory;
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
        if AdapterDirectory::is_one(path) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                COMPONENT,
                "open",
                "this is an adapter, which is loaded with the model that it was made for",
            )
            .with_path(path)
            .with_remedy("name that model, and this directory as its adapter (--adapter)"));
        }
        let config = read_json(path.join("config.json"))?;
        Ok(Self { path: path.to_path_buf(), config, weights: Vec::new() })
    }

    /// What people call the model in a directory: the directory's name or, in the Hub's cache, where
    /// that is a commit, `owner/name@commit`.
    #[must_use]
    pub fn name_of(path: &Path) -> String {
        let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = last(path).unwrap_or_else(|| path.display().to_string());
        let snapshots = path.parent().filter(|parent| parent.ends_with("snapshots"));
        let model = snapshots.and_then(Path::parent).and_then(last);
        match model.as_deref().and_then(|folder| folder.strip_prefix("models--")) {
            Some(model) => {
                let commit: String = name.chars().take(12).collect();
                format!("{}@{commit}", model.replacen("--", "/", 1))
            }
            None => name,
        }
    }

    /// [`ModelDirectory::name_of`] without the commit, which the Hub's cards do not want.
    pub(crate) fn plain_name_of(path: &Path) -> String {
        let name = Self::name_of(path);
        name.split_once('@').map_or(name.clone(), |(name, _)| name.to_owned())
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

    /// The digest of the model in a directory: [`ModelDirectory::digest`] where it has this layout, so
    /// that files which other programs add (they do in the Hub's cache) change nothing; of all files
    /// in the layout of another framework.
    pub(crate) fn digest_at(path: &Path) -> Result<Digest> {
        match Self::open(path) {
            Ok(directory) => directory.digest(),
            Err(_) => Digest::of_directory(path),
        }
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

/// The weight files: like `transformers`, the whole model where there is one, or else its shards.
fn find_weights(directory: &Path) -> Result<Vec<PathBuf>> {
    let single = directory.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index_path = directory.join("model.safetensors.index.json");
    if !index_path.is_file() {
        return Err(Error::new(
            ErrorKind::NotFound,
            COMPONENT,
            "open",
            "no model.safetensors and no index of shards",
        )
        .with_path(directory)
        .with_remedy("PyTorch's *.bin weights must be converted to safetensors first"));
    }
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
    match shards.iter().find(|shard| !shard.is_file()) {
        Some(missing) => Err(Error::new(
            ErrorKind::NotFound,
            COMPONENT,
            "open",
            "a shard that model.safetensors.index.json names is missing",
        )
        .with_path(missing)
        .with_remedy("download the model again")),
        None => Ok(shards),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::write_atomically;

    fn model(root: &Path, name: &str) -> ModelDirectory {
        let path = root.join(name);
        write_atomically(path.join("config.json"), "{}").unwrap();
        write_atomically(path.join("model.safetensors"), "weights").unwrap();
        ModelDirectory::open(path).unwrap()
    }

    #[test]
    fn a_snapshot_in_the_hubs_cache_is_called_by_model_and_commit() {
        let name = |path: &str| ModelDirectory::name_of(Path::new(path));
        assert_eq!(name("models/kind"), "kind");
        assert_eq!(name("models/kind/"), "kind");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let snapshot = format!("/cache/models--some-one--a.model/snapshots/{commit}");
        assert_eq!(name(&snapshot), "some-one/a.model@0123456789ab");
    }

    #[test]
    fn a_whole_model_is_taken_before_an_index() {
        let root = tempfile::tempdir().unwrap();
        let whole = model(root.path(), "both");
        let index = r#"{"weight_map": {"a": "model-00001-of-00001.safetensors"}}"#;
        write_atomically(whole.path().join("model.safetensors.index.json"), index).unwrap();
        let again = ModelDirectory::open(whole.path()).unwrap();
        assert_eq!(again.weights(), [whole.path().join("model.safetensors")]);
    }

    #[test]
    fn what_others_put_beside_a_model_leaves_its_digest() {
        let root = tempfile::tempdir().unwrap();
        let path = model(root.path(), "m").path().to_path_buf();
        let before = ModelDirectory::digest_at(&path).unwrap();
        write_atomically(path.join("README.md"), "A model.").unwrap();
        assert_eq!(ModelDirectory::digest_at(&path).unwrap(), before);
        write_atomically(path.join("model.safetensors"), "other").unwrap();
        assert_ne!(ModelDirectory::digest_at(&path).unwrap(), before);
        let foreign = root.path().join("foreign");
        write_atomically(foreign.join("counts.json"), "[1]").unwrap();
        assert_eq!(
            ModelDirectory::digest_at(&foreign).unwrap(),
            Digest::of_directory(&foreign).unwrap()
        );
    }
}
