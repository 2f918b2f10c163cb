//! Selection, and what every command does alike with files, streams and malformed rows.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{detoxlm, detoxlm_with, rows};

const SCORED: &str = r#"{"text":"a","id":1,"scores":{"TOXICITY":0.5}}
{"text":"b","id":2,"scores":{"TOXICITY":0.1}}
{"text":"c","id":3,"unscored":{"reason":"blank"}}
{"text":"d","id":4,"score":{"toxicity":0.3}}
{"text":"e","id":5,"scores":{"TOXICITY":0.9}}
"#;

const FILES: [&str; 7] =
    ["select", "--in", "in.jsonl", "--kept", "kept.jsonl", "--dropped", "dropped.jsonl"];

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

fn ids_of(path: &Path) -> Vec<i64> {
    ids(&rows(&fs::read_to_string(path).unwrap()))
}

#[test]
fn the_least_toxic_half_is_kept_and_a_table_tells() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("in.jsonl"), SCORED).unwrap();
    let outcome = detoxlm(here.path(), &FILES).ok();
    assert_eq!(ids_of(&here.path().join("kept.jsonl")), [2, 4]);
    assert_eq!(ids_of(&here.path().join("dropped.jsonl")), [1, 3, 5]);
    for line in ["documents            5\n", "kept                 2\n", "  above cut          2\n"]
    {
        assert!(outcome.stdout.contains(line), "{}", outcome.stdout);
    }
}

#[test]
fn json_is_one_object_and_quiet_is_silent() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("in.jsonl"), SCORED).unwrap();
    let json =
        detoxlm(here.path(), &[&FILES[..], &["--json", "--cap", "0.2"]].concat()).ok().json();
    assert_eq!(json["summary"]["kept"], 1);
    assert_eq!(json["summary"]["reasons"]["over_cap"], 3);
    assert_eq!(json["kept"], "kept.jsonl");
    assert_eq!(json["warnings"], Value::Array(Vec::new()));
    let outcome = detoxlm(here.path(), &[&FILES[..], &["--quiet"]].concat()).ok();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}

#[test]
fn an_error_is_one_object_too() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("in.jsonl"), "{\"text\":\"a\"}\n").unwrap();
    let outcome = detoxlm(here.path(), &[&FILES[..], &["--json"]].concat());
    outcome.fails(3, &["in.jsonl:1", "score the file first"]);
    let error = &outcome.json()["error"];
    assert_eq!((error["exit_code"].as_i64(), error["line"].as_i64()), (Some(3), Some(1)));
    assert_eq!(error["path"], "in.jsonl");
}

#[test]
fn rows_come_from_standard_input_and_go_to_standard_output() {
    let here = tempfile::tempdir().unwrap();
    let arguments = ["select", "--in", "-", "--kept", "-", "--dropped", "dropped.jsonl.gz"];
    let outcome = detoxlm_with(here.path(), SCORED, &arguments).ok();
    assert_eq!(ids(&outcome.rows()), [2, 4]);
    assert!(outcome.stderr.contains("kept up to"), "{}", outcome.stderr);
    let again =
        ["select", "--in", "dropped.jsonl.gz", "--kept", "-", "--dropped", "rest.jsonl.zst"];
    let outcome = detoxlm(here.path(), &again).ok();
    assert_eq!(ids(&outcome.rows()), [1]);
}

#[test]
fn a_malformed_row_names_its_line_and_leaves_no_file() {
    let here = tempfile::tempdir().unwrap();
    let broken = SCORED.replace("\"id\":4,", "\"id\":4");
    fs::write(here.path().join("in.jsonl"), broken).unwrap();
    let outcome = detoxlm(here.path(), &FILES);
    outcome.fails(3, &["error: corpus: cannot read a row: in.jsonl:4: not JSON"]);
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
}

#[test]
fn nothing_to_keep_is_exit_code_3() {
    let here = tempfile::tempdir().unwrap();
    for content in ["", "{\"text\":\"\",\"unscored\":{\"reason\":\"blank\"}}\n"] {
        fs::write(here.path().join("in.jsonl"), content).unwrap();
        detoxlm(here.path(), &FILES).fails(3, &["error:"]);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::process::{Command, Stdio};

    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("in.jsonl"), SCORED.repeat(10_000)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_detoxlm"))
        .current_dir(here.path())
        .args(["select", "--in", "in.jsonl", "--kept", "-", "--dropped", "dropped.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &[][..]));
}
