//! What is refused, with which exit code, and in which words.

use std::fs;

use crate::support::detoxlm;

#[test]
fn a_wrong_argument_is_exit_code_2() {
    let here = tempfile::tempdir().unwrap();
    let call = |arguments: &[&str]| detoxlm(here.path(), arguments);
    call(&["slect"]).fails(2, &["slect", "select"]);
    call(&["select", "--in", "a.jsonl"]).fails(2, &["--kept", "--dropped"]);
    call(&["generate", "--model", "m", "--out", "o"]).fails(2, &["--prompts", "--unconditional"]);
    call(&["generate", "--model", "m", "--unconditional", "1", "--samples", "0", "--out", "o"])
        .fails(2, &["--samples", "must be at least 1"]);
    call(&["select", "--in", "a", "--kept", "k", "--dropped", "d", "--keep-fraction", "1.5"])
        .fails(2, &["`keep_fraction`: 1.5 is not in (0, 1]"]);
    call(&["select", "--in", "a", "--kept", "k", "--dropped", "d", "--compat", "sgeat"])
        .fails(2, &["sgeat-2022"]);
}

#[test]
fn help_tells_the_exit_codes() {
    let here = tempfile::tempdir().unwrap();
    let help = detoxlm(here.path(), &["--help"]).ok().stdout;
    for line in ["Exit codes:", "  5    another process holds the run", "  130  interrupted"] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn a_name_that_is_not_known_lists_those_that_are() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("texts.jsonl"), "{\"text\":\"a\"}\n").unwrap();
    detoxlm(here.path(), &["score", "--scorer", "onyx:dir", "--in", "texts.jsonl", "--out", "-"])
        .fails(4, &["`onyx:dir`", "help: available: embedded, ", "onnx:DIR", "profanity-check"]);
}

#[test]
fn a_missing_file_is_exit_code_4_and_named() {
    let here = tempfile::tempdir().unwrap();
    let files = ["--in", "gone.jsonl", "--kept", "k.jsonl", "--dropped", "d.jsonl"];
    let outcome = detoxlm(here.path(), &[&["select"][..], &files[..]].concat());
    outcome.fails(4, &["gone.jsonl"]);
    assert!(!outcome.stderr.contains("caused by"), "{}", outcome.stderr);
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn a_stream_cannot_be_two_files_at_once() {
    let here = tempfile::tempdir().unwrap();
    let select = |extra: &[&str]| {
        let arguments = ["select", "--in", "-", "--kept", "-"];
        detoxlm(here.path(), &[&arguments[..], extra].concat())
    };
    select(&["--dropped", "-"]).fails(2, &["standard output can be only one of the files"]);
    select(&["--dropped", "d", "--json"]).fails(2, &["--json and the rows"]);
}
