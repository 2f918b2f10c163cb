//! Which backend runs a model, and on what.

use std::fs;
use std::path::Path;

use crate::support::{Outcome, detoxlm, fixture};

fn generate(here: &Path, compute: &[&str]) -> Outcome {
    let model = fixture("models/gpt2");
    let arguments = ["generate", "--model", &model, "--unconditional", "2", "--out", "-"];
    let short = ["--max-new-tokens", "6"];
    detoxlm(here, &[&arguments[..], &short, compute].concat())
}

#[test]
fn what_is_no_backend_device_or_precision_is_told_with_those_there_are() {
    let here = tempfile::tempdir().unwrap();
    let call = |compute: &[&str]| generate(here.path(), compute);
    call(&["--backend", "tourch"]).fails(4, &["`tourch`", "available: candle", "detoxlm doctor"]);
    call(&["--device", "gpu"]).fails(2, &["gpu", "cuda:N"]);
    call(&["--precision", "fp16"]).fails(2, &["fp16", "bf16"]);
    call(&["--backend", "candle", "--device", "cuda:1"]).fails(2, &["`device`", "cuda:1", "tch"]);
    call(&["--backend", "candle", "--precision", "bf16"]).fails(2, &["`precision`", "bf16"]);
}

#[test]
#[cfg(not(feature = "tch"))]
fn what_is_not_compiled_in_is_told_with_how_to_have_it() {
    let here = tempfile::tempdir().unwrap();
    generate(here.path(), &["--backend", "tch"])
        .fails(4, &["`tch`", "available: candle; build tch with `--features tch`"]);
}

/// The file is named where it alone has a say; what the command line says is not the file's.
#[test]
fn a_configuration_names_the_backend_and_the_command_line_another() {
    let here = tempfile::tempdir().unwrap();
    let model = fixture("models/gpt2");
    let of_run = format!("model = '{model}'\nrun = 'run'\n");
    let of_study = format!("models = [{{ name = 'a', model = '{model}' }}]\nstudy = 'study'\n");
    for (command, text) in [("run", of_run), ("study", of_study)] {
        let file = format!("{command}.toml");
        let write = |section: &str| {
            fs::write(here.path().join(&file), format!("{text}[compute]\n{section}\n")).unwrap();
        };
        write("backend = 'tourch'");
        detoxlm(here.path(), &[command, &file]).fails(4, &["`tourch`", &file, "candle"]);
        let outcome = detoxlm(here.path(), &[command, &file, "--backend", "other"]);
        outcome.fails(4, &["`other`"]);
        assert!(!outcome.stderr.contains(&file), "{}", outcome.stderr);
        write("backend = 'candle'\ndevice = 'cuda'");
        detoxlm(here.path(), &[command, &file]).fails(2, &["`device`", "cuda:0"]);
        write("device = 'gpu'");
        detoxlm(here.path(), &[command, &file]).fails(2, &[&file, "gpu", "cuda:N"]);
        write("framework = 'candle'");
        detoxlm(here.path(), &[command, &file]).fails(2, &["`framework`", "`backend`"]);
    }
}

#[cfg(feature = "tch")]
mod tch {
    use serde_json::Value;

    use super::*;
    use crate::support::rows;

    #[test]
    fn both_backends_write_the_same_greedy_text() {
        let here = tempfile::tempdir().unwrap();
        let texts = |backend: &str| -> Vec<Value> {
            let compute = ["--backend", backend, "--device", "cpu", "--temperature", "0"];
            let written = generate(here.path(), &compute).ok();
            rows(&written.stdout).iter().map(|row| row["text"].clone()).collect()
        };
        assert_eq!(texts("tch"), texts("candle"));
    }

    #[test]
    fn a_device_that_is_not_there_is_refused() {
        let here = tempfile::tempdir().unwrap();
        let outcome = generate(here.path(), &["--backend", "tch", "--device", "cuda:99"]);
        outcome.fails(4, &["`device`", "choose cpu"]);
        let outcome = generate(here.path(), &["--backend", "tch", "--device", "metal"]);
        outcome.fails(2, &["`device`", "metal:0"]);
    }

    /// The same job on something else rounds differently: what it would go on with is not its own.
    #[test]
    fn on_something_else_nothing_is_gone_on_with() {
        let here = tempfile::tempdir().unwrap();
        let model = fixture("models/gpt2");
        fs::write(here.path().join("corpus.jsonl"), "{\"text\":\"The river runs.\"}\n").unwrap();
        let train = ["train", "--model", &model, "--corpus", "corpus.jsonl", "--out", "trained"];
        let short = ["--max-steps", "1", "--sequence-length", "8", "--batch-size", "1"];
        let evaluate =
            ["evaluate", "--model", &model, "--suite", "perplexity", "--out", "measured"];
        let text = ["--text", "corpus.jsonl"];
        for command in [[&train[..], &short].concat(), [&evaluate[..], &text].concat()] {
            let on = |compute: &[&str]| {
                detoxlm(here.path(), &[&command[..], &["--device", "cpu"], compute].concat())
            };
            on(&["--backend", "tch"]).ok();
            on(&["--backend", "tch"]).ok();
            on(&["--backend", "tch", "--precision", "bf16"])
                .fails(3, &["compute.precision`: \"f32\" before, \"bf16\" now"]);
            on(&["--backend", "candle"]).fails(3, &["compute`: {\"device\":\"cpu\""]);
        }
    }

    #[test]
    #[cfg(feature = "defaults")]
    fn the_quickstart_runs_on_it_and_a_run_remembers_what_it_was_made_on() {
        let here = tempfile::tempdir().unwrap();
        let quickstart = |compute: &[&str]| {
            let small = ["quickstart", "--documents", "12", "--limit", "3", "--run", "run"];
            detoxlm(here.path(), &[&small[..], compute].concat())
        };
        let shown = quickstart(&["--backend", "tch", "--device", "cpu"]).ok();
        assert!(shown.stdout.contains("expected maximum toxicity"), "{shown:?}");
        let settings = fs::read_to_string(here.path().join("run/run.json")).unwrap();
        let settings: Value = serde_json::from_str(&settings).unwrap();
        assert_eq!(settings["trainer"]["name"], "tch");
        let on = serde_json::json!({"device": "cpu", "precision": "f32"});
        assert_eq!(settings["trainer"]["compute"], on);
        quickstart(&["--backend", "candle"])
            .fails(3, &["`trainer.name`: \"tch\" before, \"candle\" now"]);
    }
}
