//! Plugins as authors and users meet them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{detoxlm, detoxlm_with, rows};

fn sample(name: &str) -> String {
    format!("{}/../../plugins/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The word list, told to reject one harmless word.
fn word_list(here: &Path) -> String {
    let component = format!("{}/word-list.wasm", sample("word-list"));
    let manifest = format!(
        "component = {component:?}\n[settings]\nwords = [\"blorp\"]\ndefault_list = false\n"
    );
    fs::create_dir(here.join("blorp")).unwrap();
    fs::write(here.join("blorp/plugin.toml"), manifest).unwrap();
    "blorp".to_owned()
}

#[test]
fn inspect_says_who_it_is_and_what_it_may() {
    let here = tempfile::tempdir().unwrap();
    let outcome = detoxlm(here.path(), &["plugin", "inspect", &sample("personal-data")]).ok();
    for words in
        ["personal-data", "rejects texts", "detoxlm:filter 0.1.0", "imports", "nothing", "MiB"]
    {
        assert!(outcome.stdout.contains(words), "no {words:?} in {}", outcome.stdout);
    }
    let json = detoxlm(here.path(), &["plugin", "inspect", &sample("linear-toxicity"), "--json"])
        .ok()
        .json();
    assert_eq!(json["plugin"]["attributes"], json!(["TOXICITY"]));
    assert_eq!(json["imports"], json!([]));
    assert_eq!(json["sha256"], json["manifest"]["sha256"]);
    detoxlm(here.path(), &["plugin", "inspect", "nowhere.wasm"]).fails(4, &["nowhere.wasm"]);
}

#[test]
fn run_judges_texts_and_files() {
    let here = tempfile::tempdir().unwrap();
    let plugin = word_list(here.path());
    let texts = ["plugin", "run", &plugin, "--text", "a b1orp", "--text", "a b", "--text", " "];
    let outcome = detoxlm(here.path(), &texts).ok();
    assert_eq!(
        outcome.stdout,
        "a b1orp  rejected: 1 listed word\na b      passed\n         blank\n"
    );
    let input = "{\"text\":\"blorp\",\"id\":3}\n{\"text\":\"fine\"}\n";
    let file = ["plugin", "run", &plugin, "--in", "-", "--out", "-"];
    let rows = detoxlm_with(here.path(), input, &file).ok().rows();
    assert_eq!(
        rows[0],
        json!({"text": "blorp", "id": 3, "judgement": {"rejected": "1 listed word"}})
    );
    assert_eq!(rows[1]["judgement"], "passed");
}

#[test]
fn check_finds_nothing_in_a_sample_and_tells_what_it_uses() {
    let here = tempfile::tempdir().unwrap();
    let json =
        detoxlm(here.path(), &["plugin", "check", &sample("word-list"), "--json"]).ok().json();
    assert!(json["findings"].as_array().unwrap().iter().all(|finding| finding["broken"].is_null()));
    assert!(json["usage"]["fuel_for_a_text"].as_u64().unwrap() > 0);
    // What is broken is told in full and by the exit code: this one takes any settings.
    let loose =
        format!("{}/../../plugins/host/tests/components/v0.1.0.wasm", env!("CARGO_MANIFEST_DIR"));
    let outcome = detoxlm(here.path(), &["plugin", "check", &loose]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.stdout.contains("broken  It refuses settings that it does not know."));
    assert!(outcome.stdout.contains("ok      It imports nothing."));
}

#[test]
fn what_is_packed_is_loaded_and_said_in_its_manifest() {
    let here = tempfile::tempdir().unwrap();
    let component = format!("{}/personal-data.wasm", sample("personal-data"));
    fs::write(here.path().join("plugin.toml"), "component = \"mine.wasm\"\n").unwrap();
    let pack = ["plugin", "pack", &component, "--out", "mine.wasm", "--json"];
    let json = detoxlm(here.path(), &pack).ok().json();
    let manifest = fs::read_to_string(here.path().join("plugin.toml")).unwrap();
    assert!(manifest.contains(json["sha256"].as_str().unwrap()), "{manifest}");
    detoxlm(here.path(), &["plugin", "inspect", "mine.wasm"]).ok();
    fs::write(here.path().join("text.wasm"), "no module").unwrap();
    detoxlm(here.path(), &["plugin", "pack", "text.wasm", "--out", "x.wasm"])
        .fails(3, &["text.wasm", "no component can be made of it"]);
}

#[test]
fn a_filter_takes_part_in_scoring_and_selecting() {
    let here = tempfile::tempdir().unwrap();
    let plugin = word_list(here.path());
    let texts = "{\"text\":\"a blorp\"}\n{\"text\":\"a kind word\"}\n{\"text\":\"you idiot\"}\n";
    fs::write(here.path().join("in.jsonl"), texts).unwrap();
    let score = |more: &[&str], out: &str| {
        let arguments = ["score", "--scorer", "profanity-check", "--in", "in.jsonl", "--out", out];
        detoxlm(here.path(), &[&arguments[..], more].concat()).ok();
        rows(&fs::read_to_string(here.path().join(out)).unwrap())
    };
    let vetoed = score(&["--filter", &plugin], "vetoed.jsonl");
    assert_eq!(vetoed[0]["unscored"]["detail"], "word-list: 1 listed word");
    assert!(vetoed[0]["scorer"].as_str().unwrap().contains("under word-list"));
    assert!(vetoed[1]["scores"]["TOXICITY"].is_number());

    score(&[], "scored.jsonl");
    let select = [
        "select",
        "--in",
        "scored.jsonl",
        "--kept",
        "kept.jsonl",
        "--dropped",
        "dropped.jsonl",
        "--filter",
        &plugin,
        "--json",
    ];
    let json = detoxlm(here.path(), &select).ok().json();
    assert_eq!(json["summary"]["filtered"], json!({"word-list": 1}));
    let dropped = rows(&fs::read_to_string(here.path().join("dropped.jsonl")).unwrap());
    let filtered = json!({"filtered": {"by": "word-list", "why": "1 listed word"}});
    assert!(dropped.iter().any(|row| row["text"] == "a blorp" && row["reason"] == filtered));
}

#[test]
fn a_plugin_is_a_scorer_too() {
    let here = tempfile::tempdir().unwrap();
    let scorer = format!("wasm:{}", sample("linear-toxicity"));
    let arguments = ["score", "--scorer", &scorer, "--in", "-", "--out", "-"];
    let rows = detoxlm_with(here.path(), "{\"text\":\"a nice day\"}\n", &arguments).ok().rows();
    assert!(rows[0]["scores"]["TOXICITY"].is_number());
    let scorer = format!("wasm:{}", sample("word-list"));
    let arguments = ["score", "--scorer", &scorer, "--in", "-", "--out", "-"];
    detoxlm_with(here.path(), "{\"text\":\"x\"}\n", &arguments).fails(2, &["use it as a filter"]);
    let arguments = ["score", "--in", "-", "--out", "-", "--filter", "gone.wasm"];
    detoxlm_with(here.path(), "{\"text\":\"x\"}\n", &arguments).fails(4, &["gone.wasm"]);
}

/// The filter changes what is kept, and the report says which plugin dropped how many.
#[cfg(feature = "defaults")]
#[test]
fn a_run_is_told_what_a_filter_dropped() {
    let here = tempfile::tempdir().unwrap();
    // A word that the small model writes often.
    let component = format!("{}/word-list.wasm", sample("word-list"));
    let manifest =
        format!("component = {component:?}\n[settings]\nwords = [\"the\"]\ndefault_list = false\n");
    fs::create_dir(here.path().join("the")).unwrap();
    fs::write(here.path().join("the/plugin.toml"), manifest).unwrap();
    let quickstart = |run: &str, more: &[&str]| -> Value {
        let small = ["quickstart", "--documents", "24", "--limit", "2", "--json", "--run", run];
        detoxlm(here.path(), &[&small[..], more].concat()).ok().json()
    };
    let without = quickstart("without", &[]);
    let with = quickstart("with", &["--filter", "the"]);
    let dropped = with["selection"]["filtered"]["word-list"].as_u64().unwrap();
    assert!(dropped > 0);
    assert_eq!(without["selection"]["filtered"], Value::Null);
    let kept =
        |run: &str| fs::read_to_string(here.path().join(run).join("select/kept.jsonl")).unwrap();
    assert_ne!(kept("without"), kept("with"));
    assert!(rows(&kept("with")).iter().all(|row| {
        let text = row["text"].as_str().unwrap().to_lowercase();
        !text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "the")
    }));
    let report = fs::read_to_string(here.path().join("with/report.md")).unwrap();
    let said = report.lines().find(|line| line.contains("word-list 0.1.0 (")).unwrap();
    assert!(said.contains(&format!("dropped {dropped} of them")), "{said}");
}
