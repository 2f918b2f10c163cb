//! Scores of the committed classifiers against onnxruntime in Python: WordPiece (`bag`, `encoder`),
//! byte-level BPE (`pair`) and Unigram (`unigram`) tokenizers, with token types and without.

use std::collections::BTreeMap;

use crate::common::{difference, expected, fixture, score};
use detoxlm_core::{Attribute, Registry, Scores, ToxicityScorer, Unscored, Verdict};
use detoxlm_onnx::{Combine, OnnxOptions, OnnxScorer, Preset, Windows};

/// Labels of the fixtures that are scored, and as what. Those of `unigram` have no names; its preset
/// knows them.
fn attribute(label: &str) -> Option<Attribute> {
    Some(match label {
        "toxicity" | "toxic" | "hate" | "LABEL_0" => Attribute::TOXICITY,
        "severe_toxicity" | "LABEL_1" => Attribute::SEVERE_TOXICITY,
        "obscene" | "LABEL_2" => Attribute::PROFANITY,
        "identity_attack" | "LABEL_3" => Attribute::IDENTITY_ATTACK,
        "insult" | "LABEL_4" => Attribute::INSULT,
        "threat" | "LABEL_5" => Attribute::THREAT,
        "sexual_explicit" | "LABEL_6" => Attribute::SEXUALLY_EXPLICIT,
        _ => return None,
    })
}

fn options(name: &str) -> OnnxOptions {
    match name {
        "unigram" => OnnxOptions::default().with_preset(Preset::DetoxifyUnbiased),
        _ => OnnxOptions::default(),
    }
}

/// The largest difference from what Python says of a fixture's texts.
fn farthest(name: &str, combine: Combine) -> f32 {
    let expected = expected(name);
    let windows = Windows::default().with_combine(combine);
    let scorer =
        OnnxScorer::open_with(fixture(name), &options(name).with_windows(windows)).unwrap();
    let verdicts = score(&scorer, expected.iter().map(|text| text.text.as_str()));
    assert_eq!(verdicts.len(), expected.len());
    let differences = verdicts.iter().zip(&expected).map(|(found, expected)| {
        let values = if combine == Combine::Max { &expected.max } else { &expected.mean };
        difference(found, &verdict(values))
    });
    differences.fold(0.0, f32::max)
}

fn verdict(values: &BTreeMap<String, f32>) -> Verdict {
    if values.is_empty() {
        return Verdict::Unscored(Unscored::Blank);
    }
    let named = values.iter().filter_map(|(label, value)| Some((attribute(label)?, *value)));
    Scores::new(named).unwrap().into()
}

#[test]
fn scores_are_those_of_python_with_both_ways_to_combine_windows() {
    for (name, attributes) in [("bag", 7), ("encoder", 1), ("pair", 1), ("unigram", 7)] {
        let scorer = OnnxScorer::open_with(fixture(name), &options(name)).unwrap();
        assert_eq!(scorer.capabilities().attributes.len(), attributes);
        assert!(expected(name).iter().any(|text| text.windows > 3));
        for combine in [Combine::Max, Combine::Mean] {
            let difference = farthest(name, combine);
            assert!(difference < 1e-4, "{name}: {difference} off");
        }
    }
}

#[test]
fn the_bag_tells_rude_from_kind() {
    let scorer = OnnxScorer::open(fixture("bag")).unwrap();
    let texts = ["You are a stupid idiot.", "You are a kind person."];
    let [rude, kind] = &score(&scorer, texts)[..] else { panic!("two texts") };
    let toxicity = |verdict: &Verdict| verdict.get(&Attribute::TOXICITY).unwrap();
    assert!(toxicity(rude) > 0.9 && toxicity(kind) < 0.3, "{rude:?} {kind:?}");
}

#[test]
fn a_text_scores_alone_as_it_does_among_others() {
    for name in ["bag", "encoder"] {
        let expected = expected(name);
        let scorer = OnnxScorer::open(fixture(name)).unwrap();
        // 64 texts of all lengths, so that most are padded; some twice.
        let texts: Vec<&str> =
            (0..64).map(|i| expected[i * 7 % expected.len()].text.as_str()).collect();
        let together = score(&scorer, texts.iter().copied());
        assert_eq!(together, score(&scorer, texts.iter().copied()), "the same call, the same bits");
        for (text, among_others) in texts.iter().zip(&together) {
            let alone = score(&scorer, [*text]);
            assert!(difference(&alone[0], among_others) < 1e-5, "{name}: {text:?}");
        }
    }
}

#[test]
fn batch_size_and_threads_do_not_matter() {
    let expected = expected("encoder");
    let texts = || expected.iter().map(|text| text.text.as_str());
    let usual = score(&OnnxScorer::open(fixture("encoder")).unwrap(), texts());
    for (tokens, threads) in [(1, 1), (100, 3), (100_000, 2)] {
        let options = OnnxOptions::default().with_batch_tokens(tokens).with_threads(threads);
        let scorer = OnnxScorer::open_with(fixture("encoder"), &options).unwrap();
        for (one, other) in usual.iter().zip(score(&scorer, texts())) {
            assert!(difference(one, &other) < 1e-5);
        }
    }
}

#[test]
fn nothing_gives_nothing_and_blank_is_blank() {
    let scorer = OnnxScorer::open(fixture("bag")).unwrap();
    assert!(score(&scorer, []).is_empty());
    let blank = Verdict::Unscored(Unscored::Blank);
    assert_eq!(score(&scorer, ["", " \u{3000}\n"]), [blank.clone(), blank]);
    // A control character is no white space, and the normalizer removes it.
    let [Verdict::Unscored(Unscored::Abstained(why))] = &score(&scorer, ["\u{1}"])[..] else {
        panic!("a text without tokens has no score");
    };
    assert!(why.contains("tokenizer"), "{why}");
}

#[test]
fn a_scorer_knows_who_it_is() {
    let scorer = OnnxScorer::open(fixture("bag")).unwrap();
    assert_eq!(scorer.info().name, "onnx:bag");
    assert_eq!(scorer.info().version, "detoxlm-test-bag");
    let digest = |options: OnnxOptions| {
        OnnxScorer::open_with(fixture("bag"), &options).unwrap().info().digest.clone()
    };
    let usual = digest(OnnxOptions::default());
    assert_eq!(usual, scorer.info().digest);
    assert_eq!(usual, digest(OnnxOptions::default().with_threads(1).with_batch_tokens(9)));
    let mean = Windows::default().with_combine(Combine::Mean);
    for other in [
        OnnxOptions::default().with_windows(mean),
        OnnxOptions::default().with_max_tokens(32),
        OnnxOptions::default().with_label("toxicity", Attribute::TOXICITY),
        OnnxOptions::default().with_activation(detoxlm_onnx::Activation::Softmax),
    ] {
        assert_ne!(usual, digest(other));
    }
}

#[test]
fn the_registry_opens_a_directory_with_its_scorer_json() {
    let mut registry = Registry::new();
    detoxlm_onnx::register(&mut registry);
    let directory = crate::common::copy("bag");
    let options = r#"{"labels": {"obscene": "PROFANITY"}, "activation": "softmax"}"#;
    std::fs::write(directory.path().join("scorer.json"), options).unwrap();
    let scorer = registry.scorer(&format!("onnx:{}", directory.path().display())).unwrap();
    assert_eq!(scorer.capabilities().attributes, [Attribute::PROFANITY]);
    let plain = OnnxScorer::open_with(directory.path(), &OnnxOptions::default()).unwrap();
    assert_eq!(plain.capabilities().attributes.len(), 7);
}

#[cfg(feature = "onnxruntime")]
#[test]
fn onnx_runtime_scores_as_python_does() {
    if std::env::var_os(detoxlm_onnx::LIBRARY_VARIABLE).is_none_or(|path| path.is_empty()) {
        eprintln!("skipped: {} names no library", detoxlm_onnx::LIBRARY_VARIABLE);
        return;
    }
    // Quantisation of a whole batch at once rounds differently with other texts in it: its texts run
    // alone, as they did in Python.
    for name in ["bag", "encoder", "pair", "unigram", "quantised"] {
        let difference = farthest(name, Combine::Max);
        assert!(difference < 1e-5, "{name}: {difference} off");
    }
}
