//! A classifier out of rows, and its scores.

use std::fs;

use serde_json::json;

use crate::support::detoxlm;

/// Rows whose rude word decides, of two sources on different scales.
fn rows() -> String {
    let words = ["river", "garden", "morning", "letter", "window", "table", "music", "bread"];
    let mut rows = String::new();
    for at in 0..240 {
        let (one, other) = (words[at % 8], words[at / 8 % 8]);
        let rude = at % 3 == 0;
        let word = if rude { "stupid" } else { "lovely" };
        let text = format!("the {one} and the {word} {other} {at}");
        let row = match at % 4 {
            0 => {
                json!({"text": text, "scores": {"TOXICITY": if rude { 1 } else { 0 }}, "source": "people"})
            }
            _ => {
                json!({"text": text, "scores": {"TOXICITY": if rude { 0.8 } else { 0.1 }}, "source": "api"})
            }
        };
        rows.push_str(&format!("{row}\n"));
    }
    rows
}

const SMALL: &str = "width = 16\nhidden = 16\nvocabulary = 320\nepochs = 30\nlearning_rate = 0.01\nbatch_tokens = 256
held_out = 0.2
convolutions = [{width = 1, channels = 16}, {width = 3, channels = 8}]\n";

#[test]
fn a_classifier_is_trained_measured_and_scores() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("rows.jsonl"), rows()).unwrap();
    fs::write(here.path().join("small.toml"), SMALL).unwrap();
    let arguments = [
        "distill-scorer",
        "--in",
        "rows.jsonl",
        "--out",
        "judge",
        "--scale",
        "api",
        "--config",
        "small.toml",
        "--threads",
        "1",
        "--seed",
        "3",
        "--json",
    ];
    let first = detoxlm(here.path(), &arguments).ok().json();
    let classifier = &first["classifier"];
    assert_eq!(classifier["model"], "judge");
    assert!(classifier["rows"]["people"].as_u64() > Some(40), "{classifier}");
    let figures = &classifier["figures"][0];
    assert_eq!(figures["attribute"], "TOXICITY");
    assert_eq!(figures["texts"], classifier["held_out"]);
    assert!(figures["auc"].as_f64() > Some(0.95), "{figures}");
    // What is complete is not done again, and says the same.
    assert_eq!(detoxlm(here.path(), &arguments).ok().json(), first);

    let text = r#"{"text":"a stupid letter"}
{"text":"a lovely letter"}
"#;
    fs::write(here.path().join("in.jsonl"), text).unwrap();
    let score = ["score", "--scorer", "onnx:judge", "--in", "in.jsonl", "--out", "-"];
    let scored = detoxlm(here.path(), &score).ok().rows();
    let [rude, kind] = [0, 1].map(|at| scored[at]["scores"]["TOXICITY"].as_f64().unwrap());
    assert!(rude > 0.5 && kind < 0.4, "{rude} and {kind}");
}

#[test]
fn what_cannot_be_learned_from_is_refused_and_leaves_nothing() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("rows.jsonl"), rows()).unwrap();
    let arguments = ["distill-scorer", "--in", "rows.jsonl", "--out", "judge"];
    let several = detoxlm(here.path(), &arguments);
    several.fails(2, &["`scale`", "several sources", "api, people"]);
    let unknown = detoxlm(here.path(), &[&arguments[..], &["--scale", "apis"]].concat());
    unknown.fails(4, &["no row has this source", "api, people"]);
    let never = [&arguments[..], &["--scale", "api", "--attribute", "threat"]].concat();
    detoxlm(here.path(), &never).fails(4, &["never judges THREAT", "it judges TOXICITY"]);
    let few = [&arguments[..], &["--scale", "api", "--vocabulary", "100"]].concat();
    detoxlm(here.path(), &few).fails(2, &["`vocabulary`", "less than 257"]);
    fs::write(here.path().join("broken.jsonl"), "{\"text\":\"a\",\"scores\":{}}\n").unwrap();
    let broken = ["distill-scorer", "--in", "broken.jsonl", "--out", "judge"];
    detoxlm(here.path(), &broken).fails(3, &["broken.jsonl:1", "at least one attribute"]);
    fs::create_dir(here.path().join("taken")).unwrap();
    let taken = ["distill-scorer", "--in", "rows.jsonl", "--scale", "api", "--out", "taken"];
    detoxlm(here.path(), &taken).fails(2, &["taken", "exists already"]);
    for name in ["judge", "judge.train", "taken.train"] {
        assert!(!here.path().join(name).exists(), "{name}");
    }
}
