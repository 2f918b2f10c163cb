//! A sequence classifier's directory in Hugging Face's layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use detoxlm_core::{DigestBuilder, Error, ErrorKind, Result};
use serde::Deserialize;

use crate::COMPONENT;

const OPERATION: &str = "open the classifier";

/// `model.onnx`, `tokenizer.json` and `config.json`, all of which are there.
#[derive(Debug)]
pub(crate) struct ClassifierDirectory {
    path: PathBuf,
    config: Config,
}

/// What is read of config.json.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    #[serde(rename = "_name_or_path")]
    name_or_path: Option<String>,
    model_type: Option<String>,
    id2label: Option<BTreeMap<String, String>>,
    num_labels: Option<usize>,
    problem_type: Option<String>,
    max_position_embeddings: Option<i64>,
    pad_token_id: Option<i64>,
}

/// Families whose first position is `pad_token_id + 1`, so that their table is longer than any input.
const OFFSET_POSITIONS: &[&str] = &[
    "camembert",
    "data2vec-text",
    "longformer",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
];

impl ClassifierDirectory {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let missing = |what: &'static str, path: &Path| {
            Error::new(ErrorKind::NotFound, COMPONENT, OPERATION, what)
                .with_path(path)
                .with_remedy("name a directory with model.onnx, tokenizer.json and config.json")
        };
        if !path.is_dir() {
            return Err(missing("no such directory", path));
        }
        for name in ["model.onnx", "tokenizer.json", "config.json"] {
            let file = path.join(name);
            if !file.is_file() {
                return Err(missing("no such file", &file));
            }
        }
        let config_path = path.join("config.json");
        let text = std::fs::read_to_string(&config_path)
            .map_err(|e| Error::io(COMPONENT, OPERATION, &config_path, e))?;
        let config = serde_json::from_str(&text).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, e.to_string())
                .with_path(&config_path)
                .with_line(e.line() as u64)
                .with_source(e)
        })?;
        Ok(Self { path: path.to_path_buf(), config })
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.path.join("model.onnx")
    }

    pub(crate) fn tokenizer(&self) -> PathBuf {
        self.path.join("tokenizer.json")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path.join("config.json")
    }

    pub(crate) fn options(&self) -> PathBuf {
        self.path.join("scorer.json")
    }

    /// The directory's own name, also where the path ends in `.` or `..`.
    pub(crate) fn name(&self) -> String {
        let resolved = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        resolved.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(crate) fn version(&self) -> &str {
        match self.config.name_or_path.as_deref() {
            None | Some("") => "unknown",
            Some(name) => name,
        }
    }

    pub(crate) fn problem_type(&self) -> Option<&str> {
        self.config.problem_type.as_deref()
    }

    pub(crate) fn pad_id(&self) -> Option<u32> {
        self.config.pad_token_id.and_then(|id| u32::try_from(id).ok())
    }

    /// The most tokens that there are positions for; `None` where config.json sets no limit.
    pub(crate) fn positions(&self) -> Option<usize> {
        let positions = usize::try_from(self.config.max_position_embeddings?).ok()?;
        let model_type = self.config.model_type.as_deref().unwrap_or_default();
        let offset = if OFFSET_POSITIONS.contains(&model_type) {
            self.pad_id().unwrap_or(1) as usize + 1
        } else {
            0
        };
        Some(positions.saturating_sub(offset)).filter(|&positions| positions > 0)
    }

    /// The labels in the order of the model's output. A configuration that says nothing means
    /// `LABEL_0` and `LABEL_1`: transformers leaves its defaults out.
    pub(crate) fn labels(&self) -> Result<Vec<String>> {
        let Some(id2label) = self.config.id2label.as_ref().filter(|labels| !labels.is_empty())
        else {
            let count = self.config.num_labels.unwrap_or(2);
            return Ok((0..count).map(|id| format!("LABEL_{id}")).collect());
        };
        (0..id2label.len())
            .map(|id| {
                id2label.get(&id.to_string()).cloned().ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidInput,
                        COMPONENT,
                        OPERATION,
                        format!("{} labels, but none for output {id}", id2label.len()),
                    )
                    .with_path(self.config())
                    .with_key("id2label")
                    .with_remedy("number the labels from 0 without gaps")
                })
            })
            .collect()
    }

    /// Adds the tokenizer and the model with its external weights (`model.onnx_data` and the like).
    pub(crate) fn add_files_to(&self, digest: &mut DigestBuilder) -> Result<()> {
        digest.update_file(&self.tokenizer())?;
        let failed = |e| Error::io(COMPONENT, OPERATION, &self.path, e);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("model.onnx") && path.is_file() {
                files.push((name, path));
            }
        }
        files.sort();
        for (name, path) in files {
            digest.update(name).update_file(&path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_config(config: &str) -> Result<ClassifierDirectory> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("model.onnx", ""), ("tokenizer.json", "{}"), ("config.json", config)]
        {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        ClassifierDirectory::open(directory.path())
    }

    #[test]
    fn roberta_has_two_positions_fewer_than_its_table() {
        let positions = |config| with_config(config).unwrap().positions();
        let roberta =
            r#"{"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}"#;
        assert_eq!(positions(roberta), Some(512));
        assert_eq!(
            positions(r#"{"model_type": "bert", "max_position_embeddings": 512}"#),
            Some(512)
        );
        assert_eq!(positions(r#"{"max_position_embeddings": -1}"#), None);
        assert_eq!(positions("{}"), None);
    }

    #[test]
    fn labels_are_in_the_order_of_their_numbers() {
        let labels = |config| with_config(config).unwrap().labels();
        let twelve: Vec<_> = (0..12).map(|i| format!("\"{i}\": \"l{i}\"")).collect();
        let config = format!("{{\"id2label\": {{{}}}}}", twelve.join(","));
        assert_eq!(labels(&config).unwrap()[9..], ["l9", "l10", "l11"]);
        assert_eq!(labels("{}").unwrap(), ["LABEL_0", "LABEL_1"]);
        let error = labels(r#"{"id2label": {"0": "a", "2": "b"}}"#).unwrap_err();
        assert_eq!(error.key(), Some("id2label"));
        assert!(error.to_string().contains("output 1"), "{error}");
    }

    #[test]
    fn a_malformed_configuration_names_file_and_line() {
        let error = with_config("{\n \"id2label\": [1]\n}").unwrap_err();
        assert_eq!((error.kind(), error.line_number()), (ErrorKind::InvalidInput, Some(2)));
        assert!(error.path().is_some_and(|path| path.ends_with("config.json")));
    }
}
