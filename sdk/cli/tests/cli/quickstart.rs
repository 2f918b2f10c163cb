//! The quickstart, on little of everything.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Outcome, detoxlm, kill_when};

fn quickstart(here: &Path, run: &str, more: &[&str]) -> Outcome {
    let small = ["quickstart", "--documents", "12", "--limit", "6", "--json", "--run", run];
    detoxlm(here, &[&small[..], more].concat()).ok()
}

fn read(here: &Path, name: &str) -> String {
    let path = here.join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_report_says_what_changed_by_both_judges_and_a_seed_is_a_result() {
    let here = tempfile::tempdir().unwrap();
    let json = quickstart(here.path(), "first", &[]).json();
    assert_eq!(json["selection"]["documents"], 12);
    let judges: Vec<&Value> = json["evaluations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|evaluation| &evaluation["provenance"]["scorer"]["name"])
        .collect();
    assert_eq!(judges.len(), 10, "two subjects; two judges, a text and two tasks");
    assert_ne!(judges[0], judges[1]);
    assert_eq!(json["changes"].as_array().unwrap().len(), 5);
    assert_eq!(json["false_positives"]["subject"], "detoxlm-classifier");

    let report = read(here.path(), "first/report.md");
    for words in [
        "| base | detoxified | change |",
        "profanity-check",
        "wikipedia-talk-sample",
        "hellaswag",
        "Whom the filter takes for toxic",
    ] {
        assert!(report.contains(words), "no {words:?} in {report}");
    }
    quickstart(here.path(), "second", &[]);
    assert_eq!(read(here.path(), "second/report.md"), report);
    quickstart(here.path(), "third", &["--seed", "7"]);
    assert_ne!(read(here.path(), "third/report.md"), report);
}

#[test]
fn killed_it_goes_on_and_ends_in_the_same_figures() {
    let here = tempfile::tempdir().unwrap();
    quickstart(here.path(), "whole", &[]);
    // Once in every stage; a stage that is quicker than the look at it is skipped.
    for place in ["generate/part-00000.jsonl", "train/job.json", "eval/base", "eval/detoxified"] {
        let killed = ["--quiet", "--run", "killed"];
        let arguments =
            [&["quickstart", "--documents", "12", "--limit", "6"], &killed[..]].concat();
        kill_when(here.path(), &arguments, || here.path().join("killed").join(place).exists());
    }
    quickstart(here.path(), "killed", &[]);
    for file in ["report.md", "eval/metrics.json", "select/kept.jsonl", "train/metrics.jsonl"] {
        let [whole, killed] =
            ["whole", "killed"].map(|run| read(here.path(), &format!("{run}/{file}")));
        assert_eq!(killed, whole, "{file}");
    }
}

#[test]
fn the_control_chooses_by_something_else() {
    let here = tempfile::tempdir().unwrap();
    quickstart(here.path(), "least-toxic", &[]);
    quickstart(here.path(), "control", &["--control"]);
    let report = read(here.path(), "control/report.md");
    assert!(report.contains("2. random"), "{report}");
    let kept = |run: &str| read(here.path(), &format!("{run}/select/kept.jsonl"));
    assert_ne!(kept("control"), kept("least-toxic"));
}
