//! What cannot be opened says why.

use std::path::Path;

use crate::common::{copy, copy_with_config, fixture, score};
use detoxlm_core::{Attribute, Error, ErrorKind, Unscored, Verdict};
use detoxlm_onnx::{Activation, OnnxOptions, OnnxScorer};

fn refused(directory: &Path) -> Error {
    OnnxScorer::open(directory).unwrap_err()
}

#[test]
fn missing_files_are_named() {
    let error = refused(Path::new("no/such/directory"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for file in ["model.onnx", "tokenizer.json", "config.json"] {
        let directory = copy("bag");
        std::fs::remove_file(directory.path().join(file)).unwrap();
        let error = refused(directory.path());
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.path(), Some(directory.path().join(file).as_path()));
    }
}

#[test]
fn a_truncated_or_foreign_model_is_refused() {
    let whole = std::fs::read(fixture("encoder").join("model.onnx")).unwrap();
    let directory = copy("encoder");
    let path = directory.path().join("model.onnx");
    for spoiled in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], b"", b"not a model"] {
        std::fs::write(&path, spoiled).unwrap();
        let error = refused(directory.path());
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert_eq!(error.path(), Some(path.as_path()));
    }
}

#[test]
fn a_malformed_tokenizer_is_refused() {
    let directory = copy("bag");
    let path = directory.path().join("tokenizer.json");
    std::fs::write(&path, "{}").unwrap();
    let error = refused(directory.path());
    assert_eq!((error.kind(), error.path()), (ErrorKind::InvalidInput, Some(path.as_path())));
}

#[test]
fn another_models_tokenizer_is_noticed_before_the_first_text() {
    let directory = copy("encoder");
    let path = directory.path().join("tokenizer.json");
    std::fs::copy(fixture("bag").join("tokenizer.json"), path).unwrap();
    let error = refused(directory.path());
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
    assert!(error.to_string().contains("1599, the highest id"), "{error}");
}

#[test]
fn labels_that_do_not_fit_the_output_name_both_numbers() {
    let directory = copy_with_config("bag", r#""obscene""#, r#""obscene", "7": "other""#);
    let error = refused(directory.path());
    assert_eq!((error.kind(), error.key()), (ErrorKind::Incompatible, Some("id2label")));
    let text = error.to_string();
    assert!(text.contains("7 values") && text.contains("8 labels"), "{text}");
}

#[test]
fn unknown_labels_ask_for_a_mapping_and_list_what_was_found() {
    let directory = copy_with_config("encoder", r#""toxic""#, r#""bad""#);
    let error = refused(directory.path());
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("neutral, bad"), "{error}");
    let mapped = OnnxOptions::default().with_label("bad", Attribute::TOXICITY);
    assert!(OnnxScorer::open_with(directory.path(), &mapped).is_ok());
}

#[test]
fn an_unknown_key_in_scorer_json_is_named() {
    let directory = copy("bag");
    let path = directory.path().join("scorer.json");
    std::fs::write(&path, r#"{"label": {}}"#).unwrap();
    let error = refused(directory.path());
    assert_eq!((error.path(), error.key()), (Some(path.as_path()), Some("label")));
}

#[test]
fn options_without_sense_are_refused() {
    // No room for text, and more than the 64 positions of config.json.
    for tokens in [0, 2, 65] {
        let options = OnnxOptions::default().with_max_tokens(tokens);
        let error = OnnxScorer::open_with(fixture("bag"), &options).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("max_tokens")));
    }
    let error = OnnxScorer::open_with(fixture("bag"), &OnnxOptions::default().with_batch_tokens(0))
        .unwrap_err();
    assert_eq!(error.key(), Some("batch_tokens"));
}

#[test]
fn an_output_that_is_no_probability_is_unscored() {
    // The graph gives logits; taken as probabilities, those below 0 are none.
    let options = OnnxOptions::default().with_activation(Activation::None);
    let scorer = OnnxScorer::open_with(fixture("bag"), &options).unwrap();
    let [Verdict::Unscored(Unscored::Failed(why))] = &score(&scorer, ["You are kind."])[..] else {
        panic!("a logit passed for a probability");
    };
    assert!(why.contains("TOXICITY is -"), "{why}");
}
