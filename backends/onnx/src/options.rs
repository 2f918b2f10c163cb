//! What a user may set about a classifier.

use std::collections::BTreeMap;
use std::path::Path;

use detoxlm_core::{Attribute, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::{COMPONENT, Preset};

const OPERATION: &str = "read the scorer's options";

/// How logits become probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// By `problem_type` of config.json: `multi_label_classification` is a sigmoid,
    /// `single_label_classification` a softmax, `regression` is clipped. Where it is missing, a softmax
    /// over several labels of which at most one is an attribute, else a sigmoid: labels such as
    /// `toxic` and `severe_toxic` do not exclude each other.
    #[default]
    Auto,
    /// Each label by itself: 1 / (1 + exp(-x)).
    Sigmoid,
    /// Over all labels: exp(x) / sum of exp.
    Softmax,
    /// A regression on [0, 1]: what is less than 0.5 outside of it is cut, and what is farther out is
    /// on another scale and no score.
    Clip,
    /// The graph's output is in [0, 1] as it is.
    None,
}

/// How the scores of a long text's windows become its score, attribute by attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The highest: a long text is as toxic as its worst window.
    #[default]
    Max,
    /// The plain mean over the windows.
    Mean,
}

/// How a text of more than `max_tokens` is read.
///
/// A window holds `c` = `max_tokens` less the special tokens that the tokenizer adds around each
/// window. Windows begin every `c - floor(c * overlap)` tokens; the last one is what is left. This is
/// what Hugging Face's tokenizers do with `stride = floor(c * overlap)` and
/// `return_overflowing_tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Windows {
    /// The share of a window that the next one reads again, in [0, 1).
    pub overlap: f32,
    /// How the windows' scores are combined.
    pub combine: Combine,
}

impl Windows {
    /// Sets the share of a window that the next one reads again.
    #[must_use]
    pub const fn with_overlap(mut self, overlap: f32) -> Self {
        self.overlap = overlap;
        self
    }

    /// Sets how the windows' scores are combined.
    #[must_use]
    pub const fn with_combine(mut self, combine: Combine) -> Self {
        self.combine = combine;
        self
    }
}

impl Default for Windows {
    /// An overlap of one eighth, combined by the maximum.
    fn default() -> Self {
        Self { overlap: 0.125, combine: Combine::Max }
    }
}

/// The options of an [`OnnxScorer`](crate::OnnxScorer); `scorer.json` beside the model holds them as
/// JSON. Every field has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OnnxOptions {
    /// A published classifier, which says what the outputs are and how they become probabilities
    /// where the other options do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The model's labels to attributes. When given, exactly these labels are scored; when empty,
    /// those of the preset, else those of the model's labels that are known names (Detoxify's,
    /// Jigsaw's, Perspective's).
    pub labels: BTreeMap<String, Attribute>,
    /// How logits become probabilities.
    pub activation: Activation,
    /// The most tokens that the model reads at once, special tokens included. By default what
    /// config.json says of its positions, else the truncation in tokenizer.json, else 512.
    pub max_tokens: Option<usize>,
    /// How longer texts are read.
    pub windows: Windows,
    /// The most tokens in one run of the model, padding included. It bounds memory; scores do not
    /// depend on it.
    pub batch_tokens: usize,
    /// How many threads compute; 0 is one for each core.
    pub threads: usize,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self {
            preset: None,
            labels: BTreeMap::new(),
            activation: Activation::Auto,
            max_tokens: None,
            windows: Windows::default(),
            batch_tokens: 2048,
            threads: 0,
        }
    }
}

impl OnnxOptions {
    /// Reads `scorer.json`; the defaults when there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read, is not JSON, or has an unknown key; file, line and key are named.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match std::fs::read(path) {
            Ok(text) => Self::parse(&text, path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Error::io(COMPONENT, OPERATION, path, e)),
        }
    }

    /// The options in a text; `path` names it in errors.
    pub(crate) fn parse(text: &[u8], path: &Path) -> Result<Self> {
        serde_json::from_slice(text).map_err(|e| {
            let message = e.to_string();
            // serde_json has no structured form of this.
            let unknown =
                message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let error = Error::new(ErrorKind::InvalidConfig, COMPONENT, OPERATION, message.clone())
                .with_path(path)
                .with_line(e.line() as u64);
            match unknown {
                Some(key) => error.with_key(key.to_owned()),
                None => error,
            }
            .with_source(e)
        })
    }

    /// Takes the model for a published one.
    #[must_use]
    pub const fn with_preset(mut self, preset: Preset) -> Self {
        self.preset = Some(preset);
        self
    }

    /// Scores this label as this attribute; labels that are not named are then left out.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>, attribute: Attribute) -> Self {
        self.labels.insert(label.into(), attribute);
        self
    }

    /// Sets how logits become probabilities.
    #[must_use]
    pub const fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets the most tokens that the model reads at once, special tokens included.
    #[must_use]
    pub const fn with_max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = Some(max_tokens);
        self
    }

    /// Sets how longer texts are read.
    #[must_use]
    pub const fn with_windows(mut self, windows: Windows) -> Self {
        self.windows = windows;
        self
    }

    /// Sets the most tokens in one run of the model, padding included.
    #[must_use]
    pub const fn with_batch_tokens(mut self, batch_tokens: usize) -> Self {
        self.batch_tokens = batch_tokens;
        self
    }

    /// Sets how many threads compute; 0 is one for each core.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let refuse = |key: &'static str, message: String| {
            Error::new(ErrorKind::InvalidConfig, COMPONENT, "check the scorer's options", message)
                .with_key(key)
        };
        if !(0.0..1.0).contains(&self.windows.overlap) {
            return Err(refuse(
                "windows.overlap",
                format!("{} is not in [0, 1)", self.windows.overlap),
            ));
        }
        if self.batch_tokens == 0 {
            return Err(refuse("batch_tokens", "a run of the model needs a token".into()));
        }
        Ok(())
    }

    pub(crate) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_come_back_from_an_empty_object_and_a_missing_file() {
        assert_eq!(serde_json::from_str::<OnnxOptions>("{}").unwrap(), OnnxOptions::default());
        let directory = tempfile::tempdir().unwrap();
        let options = OnnxOptions::read(directory.path().join("scorer.json")).unwrap();
        assert_eq!(options, OnnxOptions::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_file_and_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scorer.json");
        for (text, key, line) in [
            ("{\n \"treads\": 2\n}", "treads", 2),
            ("{\n \"windows\":\n {\"overlaps\": 2}}", "overlaps", 3),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = OnnxOptions::read(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert_eq!(error.path(), Some(path.as_path()));
            assert_eq!((error.key(), error.line_number()), (Some(key), Some(line)));
        }
        std::fs::write(&path, "{\"activation\": \"sigmoidal\"}").unwrap();
        assert!(OnnxOptions::read(&path).unwrap_err().to_string().contains("sigmoidal"));
    }

    #[test]
    fn impossible_values_are_refused_by_key() {
        for overlap in [-0.1, 1.0, f32::NAN] {
            let options =
                OnnxOptions::default().with_windows(Windows::default().with_overlap(overlap));
            assert_eq!(options.validate().unwrap_err().key(), Some("windows.overlap"));
        }
        let error = OnnxOptions::default().with_batch_tokens(0).validate().unwrap_err();
        assert_eq!(error.key(), Some("batch_tokens"));
    }
}
