//! The committed classifiers, and what other implementations say of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use detoxlm_core::{Sample, ToxicityScorer, Verdict};
use serde::Deserialize;
use tempfile::TempDir;

/// A text with the scores that onnxruntime in Python gives it, by label.
#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) text: String,
    pub(crate) windows: usize,
    #[serde(default)]
    pub(crate) max: BTreeMap<String, f32>,
    #[serde(default)]
    pub(crate) mean: BTreeMap<String, f32>,
}

/// `bag` or `encoder` under tests/fixtures/classifier.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/classifier").join(name)
}

pub(crate) fn expected(name: &str) -> Vec<Expected> {
    let text = std::fs::read_to_string(fixture(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A copy of a fixture's files, to be spoiled.
pub(crate) fn copy(name: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in ["model.onnx", "tokenizer.json", "config.json"] {
        std::fs::copy(fixture(name).join(file), directory.path().join(file)).unwrap();
    }
    directory
}

/// The same with other text in place of `from` in config.json.
pub(crate) fn copy_with_config(name: &str, from: &str, to: &str) -> TempDir {
    let directory = copy(name);
    let path = directory.path().join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
    directory
}

pub(crate) fn samples<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Sample> {
    texts.into_iter().map(Sample::new).collect()
}

pub(crate) fn score<'a>(
    scorer: &dyn ToxicityScorer,
    texts: impl IntoIterator<Item = &'a str>,
) -> Vec<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(scorer.score(&samples(texts))).unwrap()
}

/// The largest difference between two verdicts' values; infinite where one has what the other lacks.
pub(crate) fn difference(one: &Verdict, other: &Verdict) -> f32 {
    match (one, other) {
        (Verdict::Scored(one), Verdict::Scored(other)) => {
            if !one.iter().map(|(a, _)| a).eq(other.iter().map(|(a, _)| a)) {
                return f32::INFINITY;
            }
            one.iter().zip(other.iter()).map(|((_, a), (_, b))| (a - b).abs()).fold(0.0, f32::max)
        }
        (one, other) if one == other => 0.0,
        _ => f32::INFINITY,
    }
}
