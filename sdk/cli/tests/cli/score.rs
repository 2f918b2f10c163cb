//! Scoring: rows in, the same rows with verdicts out.

use std::fs;

use crate::support::{detoxlm, detoxlm_with, fixture, rows};

const TEXTS: &str = r#"{"text":"you are a stupid idiot","id":7,"nested":{"x":[1,null]}}
{"text":" ","prompt":"p","scores":{"TOXICITY":0.5},"scorer":"another"}
{"text":"a kind word"}
"#;

#[test]
fn verdicts_and_the_scorer_are_added_and_all_else_is_kept() {
    let here = tempfile::tempdir().unwrap();
    let scorer = format!("onnx:{}", fixture("classifier/bag"));
    fs::write(here.path().join("in.jsonl"), TEXTS).unwrap();
    let arguments = ["score", "--scorer", &scorer, "--in", "in.jsonl", "--out", "out.jsonl.gz"];
    let json = detoxlm(here.path(), &[&arguments[..], &["--json"]].concat()).ok().json();
    assert_eq!(json["summary"]["texts"], 3);
    assert_eq!(json["summary"]["scored"], 2);
    assert_eq!(json["summary"]["unscored"]["blank"], 1);

    let streamed = ["score", "--scorer", &scorer, "--in", "-", "--out", "-", "--quiet"];
    let outcome = detoxlm_with(here.path(), TEXTS, &streamed).ok();
    assert_eq!(outcome.stderr, "");
    let rows = rows(&outcome.stdout);
    let value = rows[0]["scores"]["TOXICITY"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&value), "{value}");
    assert_eq!(rows[0]["nested"]["x"][0], 1);
    assert_eq!(rows[1]["unscored"]["reason"], "blank");
    assert_eq!(rows[1].get("scores"), None);
    assert_eq!(rows[1]["prompt"], "p");
    let digest = json["scorer"]["digest"].as_str().unwrap();
    assert!(rows.iter().all(|row| row["scorer"].as_str().unwrap().contains(&digest[..12])));

    let select = ["select", "--in", "out.jsonl.gz", "--kept", "-", "--dropped", "dropped.jsonl"];
    assert_eq!(detoxlm(here.path(), &select).ok().rows().len(), 1);
}

#[test]
fn a_malformed_row_is_told_before_anything_is_scored() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("in.jsonl"), format!("{TEXTS}{{\"txt\":\"a\"}}\n")).unwrap();
    let scorer = format!("onnx:{}", fixture("classifier/bag"));
    let outcome = detoxlm(
        here.path(),
        &["score", "--scorer", &scorer, "--in", "in.jsonl", "--out", "out.jsonl"],
    );
    outcome.fails(3, &["in.jsonl:4", "missing field `text`; the row has `txt`"]);
    assert!(!here.path().join("out.jsonl").exists());
}
