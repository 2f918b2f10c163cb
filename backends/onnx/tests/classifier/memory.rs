//! A classifier whose files the program carries.

use std::path::Path;

use crate::common::{fixture, score};
use detoxlm_core::{Attribute, ErrorKind, ToxicityScorer};
use detoxlm_onnx::{MemoryFiles, OnnxScorer};

const MODEL: (&str, &[u8]) =
    ("model.onnx", include_bytes!("../../../../tests/fixtures/classifier/bag/model.onnx"));
const TOKENIZER: (&str, &[u8]) =
    ("tokenizer.json", include_bytes!("../../../../tests/fixtures/classifier/bag/tokenizer.json"));
const CONFIG: (&str, &[u8]) =
    ("config.json", include_bytes!("../../../../tests/fixtures/classifier/bag/config.json"));

const fn carried(files: &'static [(&'static str, &'static [u8])]) -> MemoryFiles {
    MemoryFiles { name: "carried", files }
}

#[test]
fn it_is_the_classifier_of_the_directory() {
    let memory = OnnxScorer::open_memory(carried(&[CONFIG, MODEL, TOKENIZER])).unwrap();
    let directory = OnnxScorer::open(fixture("bag")).unwrap();
    assert_eq!(memory.info().name, "carried");
    assert_eq!(memory.info().version, directory.info().version);
    assert_eq!(memory.info().digest, directory.info().digest);
    let texts = ["You are a stupid idiot.", "You are a kind person.", ""];
    assert_eq!(score(&memory, texts), score(&directory, texts));
}

#[test]
fn its_options_are_read_where_there_are_any() {
    let options = ("scorer.json", br#"{"labels": {"obscene": "PROFANITY"}}"#.as_slice());
    let files = Box::leak(Box::new([MODEL, TOKENIZER, CONFIG, options]));
    let scorer = OnnxScorer::open_memory(carried(files)).unwrap();
    assert_eq!(scorer.capabilities().attributes, [Attribute::PROFANITY]);
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    for (files, file) in [
        (&[MODEL, TOKENIZER] as &'static [_], "config.json"),
        (&[MODEL, CONFIG], "tokenizer.json"),
        (&[TOKENIZER, CONFIG], "model.onnx"),
    ] {
        let error = OnnxScorer::open_memory(carried(files)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(error.path(), Some(Path::new("carried").join(file).as_path()));
    }
    let error =
        OnnxScorer::open_memory(carried(&[("model.onnx", b"not a model"), TOKENIZER, CONFIG]));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(error.path(), Some(Path::new("carried/model.onnx")));
}
