//! Which files of a repository are the model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use detoxlm_core::files::read_json;
use detoxlm_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::COMPONENT;

const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
const IF_THERE: [&str; 3] =
    ["tokenizer_config.json", "generation_config.json", "special_tokens_map.json"];
const WEIGHTS: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// The files to fetch of a repository that has these, the index of shards instead of the shards.
///
/// # Errors
/// When the model is not complete in a form that we read; what it lacks is named.
pub(crate) fn of_repository<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<&'static str>> {
    let names: BTreeSet<&str> = names.collect();
    if let Some(missing) = NEEDED.into_iter().find(|name| !names.contains(name)) {
        let error = unfit(format!("the repository has no {missing}"));
        return Err(match missing {
            "tokenizer.json" => error.with_remedy(
                "load it with AutoTokenizer in Python, save it, and name that directory",
            ),
            _ => error,
        });
    }
    let weights = [WEIGHTS, INDEX].into_iter().find(|name| names.contains(name));
    let Some(weights) = weights else {
        let pickled = names.iter().any(|name| name.ends_with(".bin") || name.ends_with(".pt"));
        let error = unfit(match pickled {
            true => "the repository has PyTorch weights (*.bin) and no safetensors".to_owned(),
            false => format!("the repository has neither {WEIGHTS} nor {INDEX}"),
        });
        return Err(if pickled {
            error.with_remedy("look for a revision or a copy with safetensors, or convert it")
        } else {
            error
        });
    };
    let optional = IF_THERE.into_iter().filter(|name| names.contains(name));
    Ok(NEEDED.into_iter().chain(optional).chain([weights]).collect())
}

/// The shards that an index names, each once.
///
/// # Errors
/// When the index is malformed, or names a file outside its directory.
pub(crate) fn shards(index: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let Index { weight_map } = read_json(index)?;
    let shards: BTreeSet<String> = weight_map.into_values().collect();
    match shards.iter().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
        Some(name) => Err(Error::new(
            ErrorKind::InvalidInput,
            COMPONENT,
            "read the weight index",
            "a shard is not beside its index",
        )
        .with_path(index)
        .with_key(name.clone())),
        None => Ok(shards.into_iter().collect()),
    }
}

/// What a directory lacks to be a model that loads.
///
/// # Errors
/// When the index of its shards cannot be read.
pub(crate) fn missing(directory: &Path) -> Result<Vec<String>> {
    let lacks = |name: &str| !directory.join(name).is_file();
    let mut missing: Vec<String> =
        NEEDED.into_iter().filter(|name| lacks(name)).map(str::to_owned).collect();
    if lacks(WEIGHTS) {
        if lacks(INDEX) {
            missing.push(WEIGHTS.to_owned());
        } else {
            missing.extend(shards(&directory.join(INDEX))?.into_iter().filter(|name| lacks(name)));
        }
    }
    Ok(missing)
}

fn unfit(message: String) -> Error {
    Error::new(ErrorKind::Incompatible, COMPONENT, "fetch the model", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_what_loads_and_nothing_else() {
        let repository = [
            "README.md",
            "config.json",
            "flax_model.msgpack",
            "generation_config.json",
            "model.safetensors",
            "model.safetensors.index.json",
            "onnx/model.onnx",
            "pytorch_model.bin",
            "tokenizer.json",
        ];
        assert_eq!(
            of_repository(repository.into_iter()).unwrap(),
            ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"]
        );
    }

    #[test]
    fn what_cannot_be_loaded_is_refused_by_what_it_lacks() {
        let refused = |names: &[&str]| of_repository(names.iter().copied()).unwrap_err();
        let pickled = refused(&["config.json", "tokenizer.json", "pytorch_model.bin"]);
        assert!(pickled.to_string().contains("PyTorch weights"), "{pickled}");
        assert!(refused(&["config.json", "tokenizer.json"]).to_string().contains(WEIGHTS));
        let slow = refused(&["config.json", "model.safetensors", "vocab.json"]);
        assert!(slow.to_string().contains("tokenizer.json"), "{slow}");
    }

    #[test]
    fn shards_stay_beside_their_index() {
        let directory = tempfile::tempdir().unwrap();
        let index = directory.path().join(INDEX);
        let read = |names: &str| {
            std::fs::write(&index, format!(r#"{{"metadata": {{}}, "weight_map": {names}}}"#))
                .unwrap();
            shards(&index)
        };
        assert_eq!(read(r#"{"x": "b", "y": "a", "z": "b"}"#).unwrap(), ["a", "b"]);
        for outside in ["../a", "/a", "a\\\\b", ".a"] {
            let error = read(&format!(r#"{{"x": "{outside}"}}"#)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{outside}");
        }
        assert_eq!(missing(directory.path()).unwrap_err().path(), Some(index.as_path()));
        read(r#"{"x": "a"}"#).unwrap();
        let missing = missing(directory.path()).unwrap();
        assert_eq!(missing, ["config.json", "tokenizer.json", "a"]);
    }
}
