//! Calibrating a scorer: stored scores in, a map out, and every command uses it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{detoxlm, fixture, rows};

/// Four hundred texts, rude to different degrees, with scores of two versions on different scales.
fn stored(here: &Path) {
    let mut text = String::new();
    let rude = ["idiot", "stupid", "fool", "day", "morning", "thanks"];
    for number in 0..400 {
        let words: Vec<&str> =
            (0..4).map(|at| rude[(number * 7 + at * (number + 1)) % 6]).collect();
        let toxic = words.iter().filter(|word| rude[..3].contains(word)).count() as f64 / 4.0;
        for (version, value) in [("2020", 0.2 + 0.6 * toxic), ("rescored", 0.3 * toxic)] {
            let _ = writeln!(
                text,
                "{{\"text\":\"{} {number}\",\"scorer\":\"p\",\"version\":\"{version}\",\
                 \"scores\":{{\"toxicity\":{value},\"flirtation\":0.5}}}}",
                words.join(" ")
            );
        }
    }
    fs::write(here.join("stored.jsonl"), text).unwrap();
}

fn fit(here: &Path, more: &[&str]) -> crate::support::Outcome {
    let scorer = format!("onnx:{}", fixture("classifier/bag"));
    let arguments = [
        "fit-calibration",
        "--scorer",
        &scorer,
        "--in",
        "stored.jsonl",
        "--name",
        "P 2020",
        "--out",
        "p2020.json",
        "--json",
    ];
    detoxlm(here, &[&arguments[..], more].concat())
}

#[test]
fn a_map_is_fitted_measured_and_used_wherever_a_scorer_is_named() {
    let here = tempfile::tempdir().unwrap();
    stored(here.path());
    for kind in ["isotonic", "logistic"] {
        let more = ["--where", "version=2020", "--kind", kind, "--svg", "p2020.svg"];
        let json = fit(here.path(), &more).ok().json();
        let fit = &json["evidence"]["fits"]["TOXICITY"];
        assert_eq!(fit["fitted"].as_u64().unwrap() + fit["held_out"].as_u64().unwrap(), 400);
        let error = |state: &str| fit[state]["calibration_error"].as_f64().unwrap();
        assert!(error("after") < 0.5 * error("before"), "{kind}: {fit}");
    }
    let svg = fs::read_to_string(here.path().join("p2020.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("before") && svg.contains("TOXICITY"));

    let scorer = format!("onnx:{}@p2020.json", fixture("classifier/bag"));
    let score = |scorer: &str| -> Vec<Value> {
        let out = ["score", "--scorer", scorer, "--in", "stored.jsonl", "--out", "-", "--quiet"];
        rows(&detoxlm(here.path(), &out).ok().stdout)
    };
    let (bare, calibrated) = (score(scorer.split('@').next().unwrap()), score(&scorer));
    assert!(calibrated[0]["scorer"].as_str().unwrap().contains("as P 2020"));
    let mean = |rows: &[Value]| {
        let values = rows.iter().map(|row| row["scores"]["TOXICITY"].as_f64().unwrap());
        values.sum::<f64>() / rows.len() as f64
    };
    assert!((mean(&calibrated) - mean(&bare)).abs() > 0.01);
    assert_eq!(calibrated[0]["scores"]["INSULT"], bare[0]["scores"]["INSULT"], "not calibrated");

    // It is of this scorer and of no other.
    let other =
        ["score", "--scorer", "profanity-check@p2020.json", "--in", "stored.jsonl", "--out", "o"];
    detoxlm(here.path(), &other).fails(3, &["p2020.json", "fitted to", "fit it again"]);
}

#[test]
fn versions_stay_apart_and_what_cannot_be_fitted_is_told() {
    let here = tempfile::tempdir().unwrap();
    stored(here.path());
    let version = ["--where", "version=2020"];
    fit(here.path(), &[])
        .fails(3, &["stored.jsonl", "version=2020 (400)", "version=rescored (400)"]);
    fit(here.path(), &["--where", "version"]).fails(2, &["FIELD=VALUE"]);
    fit(here.path(), &["--where", "version=2021"]).fails(3, &["version=2020 (400)"]);
    let with = |more: &[&str]| fit(here.path(), &[&version[..], more].concat());
    with(&["--attribute", "FLIRTATION"]).fails(2, &["FLIRTATION", "does not give it"]);
    with(&["--attribute", "THREAT"]).fails(2, &["THREAT", "no row has a value of it"]);
    with(&["--target", "score"]).fails(3, &["stored.jsonl:1", "`score`", "its fields are"]);
    with(&["--held-out", "1"]).fails(2, &["held_out", "not in (0, 1)"]);
    with(&["--kind", "other"]).fails(2, &["isotonic", "logistic"]);
    assert!(!here.path().join("p2020.json").exists());
}

#[test]
fn one_attribute_may_have_its_labels_in_a_column() {
    let here = tempfile::tempdir().unwrap();
    let mut csv = String::from("text,toxic\n");
    for number in 0..60 {
        let (text, label) = if number % 2 == 0 { ("you idiot", 1) } else { ("good day", 0) };
        let _ = writeln!(csv, "{text} {number},{label}");
    }
    fs::write(here.path().join("labels.csv"), csv).unwrap();
    let arguments = [
        "fit-calibration",
        "--scorer",
        "profanity-check",
        "--in",
        "labels.csv",
        "--target",
        "toxic",
        "--attribute",
        "TOXICITY",
        "--name",
        "people",
        "--kind",
        "logistic",
        "--out",
        "people.json",
    ];
    let shown = detoxlm(here.path(), &arguments).ok().stdout;
    assert!(shown.contains("calibration error") && shown.contains("profanity-check@people.json"));
}
