//! The suite that every implementation of the core's trait passes.
#![cfg(any(feature = "tract", feature = "onnxruntime"))]

use std::path::Path;

use detoxlm_core::{Attribute, ToxicityScorer};
use detoxlm_onnx::{OnnxOptions, OnnxScorer};

fn open(name: &str, options: &OnnxOptions) -> OnnxScorer {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/classifier");
    OnnxScorer::open_with(fixtures.join(name), options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn scorers_keep_their_contract() {
    let scorer = open("bag", &OnnxOptions::default());
    detoxlm_conformance::scorer(&scorer).await.unwrap();
    let one_label = OnnxOptions::default().with_label("toxicity", Attribute::TOXICITY);
    let texts = ["You are kind.".to_owned(), "You are a fool.".to_owned()];
    let other = open("bag", &one_label);
    assert_ne!(scorer.info().digest, other.info().digest);
    detoxlm_conformance::scorers_are_told_apart(&scorer, &other, &texts).await.unwrap();
}
