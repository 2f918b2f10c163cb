//! A sequence classifier's files in Hugging Face's layout, and what its config.json says.

use std::collections::BTreeMap;
use std::path::Path;

use detoxlm_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::COMPONENT;
use crate::files::{CONFIG, Files};

pub(crate) const OPERATION: &str = "open the classifier";

/// A classifier that is not loaded yet.
#[derive(Debug)]
pub(crate) struct ClassifierSource {
    pub(crate) files: Files,
    config: Config,
}

/// What is read of config.json.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    #[serde(rename = "_name_or_path")]
    name_or_path: Option<String>,
    version: Option<String>,
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

impl ClassifierSource {
    /// Reads the configuration.
    pub(crate) fn open(files: Files) -> Result<Self> {
        let text = files.require(CONFIG)?;
        let config = serde_json::from_slice(&text).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, e.to_string())
                .with_path(files.path(CONFIG))
                .with_line(e.line() as u64)
                .with_source(e)
        })?;
        Ok(Self { files, config })
    }

    /// The same for the files of a directory.
    pub(crate) fn open_directory(path: &Path) -> Result<Self> {
        Self::open(Files::in_directory(path)?)
    }

    /// A version that config.json states, else the name that the model was saved under.
    pub(crate) fn version(&self) -> &str {
        [&self.config.version, &self.config.name_or_path]
            .into_iter()
            .filter_map(|text| text.as_deref())
            .find(|text| !text.is_empty())
            .unwrap_or("unknown")
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
                    .with_path(self.files.path(CONFIG))
                    .with_key("id2label")
                    .with_remedy("number the labels from 0 without gaps")
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_config(config: &str) -> Result<ClassifierSource> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("model.onnx", ""), ("tokenizer.json", "{}"), ("config.json", config)]
        {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        ClassifierSource::open_directory(directory.path())
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
