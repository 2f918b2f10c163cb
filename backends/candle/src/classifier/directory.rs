//! The directory of a trained classifier, as the ONNX scorers of this and other projects read it.

use std::collections::BTreeMap;
use std::path::Path;

use detoxlm_core::files::{write_atomically, write_json};
use detoxlm_core::{Attribute, ErrorKind, Result};
use serde::Serialize;

use super::onnx::to_onnx;
use super::trained::{Classifier, OVERLAP};
use super::vocabulary::Vocabulary;
use crate::error::error;

/// Texts with which a reader of the directory can check that it computes what was trained.
const TEXTS: [&str; 7] = [
    "Thank you for your help, the garden looks lovely this morning.",
    "You are a stupid idiot and everybody hates you.",
    "I will find you and kill you.",
    "They were naked and had sex all night.",
    "What a load of CRAP!!!",
    "Ωμέγα, Привет, 你好世界 🙂",
    "a",
];

/// `config.json` in Hugging Face's form.
#[derive(Serialize)]
struct Config<'a> {
    model_type: &'static str,
    _name_or_path: &'a str,
    version: &'a str,
    problem_type: &'static str,
    id2label: IdsToLabels<'a>,
    max_position_embeddings: usize,
    pad_token_id: u32,
    vocab_size: usize,
}

/// By number, and not `"10"` before `"2"`.
struct IdsToLabels<'a>(&'a [Attribute]);

impl Serialize for IdsToLabels<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0.iter().enumerate().map(|(id, attribute)| (id.to_string(), label(attribute))),
        )
    }
}

fn label(attribute: &Attribute) -> String {
    attribute.as_str().to_ascii_lowercase()
}

/// `scorer.json`: how long texts are read, and what labels mean that are no standard names.
#[derive(Serialize)]
struct Options {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, Attribute>,
    windows: Windows,
}

#[derive(Serialize)]
struct Windows {
    overlap: f64,
    combine: &'static str,
}

/// Who a classifier is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
}

/// Fills an empty directory.
pub(super) fn write(
    directory: &Path,
    classifier: &Classifier,
    tokenizer: &Path,
    attributes: &[Attribute],
    (name, window): (Name<'_>, usize),
) -> Result<()> {
    let (sizes, networks) = (classifier.sizes(), classifier.networks());
    write_atomically(directory.join("model.onnx"), to_onnx(sizes, networks, name.name))?;
    let json = std::fs::read(tokenizer)
        .map_err(|e| detoxlm_core::Error::io(crate::error::COMPONENT, "read", tokenizer, e))?;
    write_atomically(directory.join("tokenizer.json"), json)?;
    let config = Config {
        model_type: "text-cnn",
        _name_or_path: name.name,
        version: name.version,
        problem_type: "multi_label_classification",
        id2label: IdsToLabels(attributes),
        max_position_embeddings: window,
        pad_token_id: 0,
        vocab_size: sizes.vocabulary,
    };
    write_json(directory.join("config.json"), &config)?;
    let is_standard = |attribute: &Attribute| Attribute::STANDARD.contains(attribute);
    let labels = match attributes.iter().all(is_standard) {
        true => BTreeMap::new(),
        false => attributes.iter().map(|one| (label(one), one.clone())).collect(),
    };
    let windows = Windows { overlap: OVERLAP, combine: "max" };
    write_json(directory.join("scorer.json"), &Options { labels, windows })?;
    let vocabulary = Vocabulary::open(tokenizer)?;
    write_json(directory.join("expected.json"), &expected(classifier, &vocabulary, attributes)?)
}

/// What the network that was trained makes of a few texts, attribute by attribute in their order.
fn expected(
    classifier: &Classifier,
    vocabulary: &Vocabulary,
    attributes: &[Attribute],
) -> Result<BTreeMap<&'static str, Vec<f64>>> {
    let scores = classifier.score(&vocabulary.encode(&TEXTS)?)?;
    let rounded = |value: f32| (f64::from(value) * 1e6).round() / 1e6;
    TEXTS
        .into_iter()
        .zip(scores)
        .map(|(text, scores)| {
            let values = scores.and_then(|scores| {
                attributes.iter().map(|one| scores.get(one).map(rounded)).collect()
            });
            let values = values.ok_or_else(|| {
                error(ErrorKind::Internal, "write a classifier", "a text without its scores")
            })?;
            Ok((text, values))
        })
        .collect()
}
