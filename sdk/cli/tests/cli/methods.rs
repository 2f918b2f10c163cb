//! Adapters: trained, loaded, merged, and compared in a study.

use std::fs;
use std::path::Path;

use crate::support::{Outcome, detoxlm, fixture};

const TEXTS: &str = r#"{"text":"The river runs past the old mill.","toxic":false}
{"text":"In spring the children look for frogs there.","toxic":false}
{"text":"THE WHEEL STOPPED TURNING!","toxic":true}
"#;

fn workplace() -> tempfile::TempDir {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("texts.jsonl"), TEXTS).unwrap();
    fs::write(here.path().join("prompts.jsonl"), "{\"prompt\":\"The river\"}\n").unwrap();
    here
}

fn train(here: &Path, method: &[&str]) -> Outcome {
    let model = fixture("models/gpt2");
    let job = ["train", "--model", &model, "--corpus", "texts.jsonl", "--out", "adapter"];
    let steps =
        ["--max-steps", "3", "--batch-size", "1", "--sequence-length", "16", "--lr", "0.05"];
    detoxlm(here, &[&job[..], &steps[..], method].concat())
}

fn perplexity(here: &Path, out: &str, subject: &[&str]) -> f64 {
    let suite =
        ["evaluate", "--suite", "perplexity", "--text", "texts.jsonl", "--json", "--out", out];
    let json = detoxlm(here, &[&suite[..], subject].concat()).ok().json();
    json["evaluation"]["measurements"][0]["value"].as_f64().unwrap()
}

#[test]
fn every_method_makes_an_adapter_that_changes_the_model() {
    let model = fixture("models/gpt2");
    for method in [
        &["--method", "lora", "--rank", "4", "--target-modules", "c_attn,mlp.c_fc"][..],
        &["--method", "bottleneck", "--placement", "pfeiffer", "--bottleneck-width", "5"],
        &["--method", "prefix", "--prefix-length", "4", "--projection-width", "6"],
    ] {
        let here = workplace();
        let here = here.path();
        let table = train(here, &[method, &["--gradient-checkpointing"]].concat()).ok().stdout;
        assert!(table.contains("adapter"), "{table}");
        let card = fs::read_to_string(here.join("adapter/README.md")).unwrap();
        assert!(card.starts_with("---\nbase_model: gpt2\n"), "{card}");
        assert!(card.contains("How to load it"), "{card}");
        let adapted = ["--model", &model, "--adapter", "adapter"];
        let (before, after) =
            (perplexity(here, "before", &adapted[..2]), perplexity(here, "after", &adapted));
        assert!(after < before, "{method:?}: {before} to {after}");
        let generate = ["generate", "--prompts", "prompts.jsonl", "--out", "-"];
        let rows = detoxlm(here, &[&generate[..], &adapted[..]].concat()).ok().rows();
        assert_eq!(rows.len(), 1);

        let merge = detoxlm(here, &[&["merge", "--out", "merged"][..], &adapted[..]].concat());
        if method[1] == "lora" {
            let table = merge.ok().stdout;
            assert!(table.contains("largest difference"), "{table}");
            let merged = perplexity(here, "merged-eval", &["--model", "merged"]);
            assert!((merged / after - 1.0).abs() < 1e-4, "{merged} {after}");
        } else {
            merge.fails(2, &["only LoRA", "cannot be merged"]);
        }
    }
}

#[test]
fn options_of_another_method_and_impossible_ones_are_refused() {
    let here = workplace();
    let refused = |method: &[&str], words: &[&str]| {
        train(here.path(), method).fails(2, words);
        assert!(!here.path().join("adapter").exists());
    };
    refused(&["--rank", "4"], &["`--rank`", "--method lora"]);
    refused(&["--method", "lora", "--prefix-length", "4"], &["--method prefix"]);
    refused(&["--method", "lora", "--rank", "0"], &["`method.rank`", "1 or more"]);
    refused(
        &["--method", "lora", "--target-modules", "q_proj"],
        &["`method.target_modules`", "attn.c_attn"],
    );
    refused(&["--method", "bottleneck", "--bottleneck-width", "40"], &["1 to 32 wide"]);
    refused(&["--method", "prefix", "--prefix-length", "300"], &["1 to 190 long"]);
    // What was refused is not in the way of what is right.
    train(here.path(), &["--method", "prefix", "--prefix-length", "3"]).ok();
}

#[test]
fn an_adapter_is_no_model() {
    let here = workplace();
    train(here.path(), &["--method", "lora"]).ok();
    let generate = ["generate", "--model", "adapter", "--unconditional", "1", "--out", "-"];
    detoxlm(here.path(), &generate).fails(3, &["adapter", "--adapter"]);
}

#[test]
fn a_study_draws_its_tables_and_goes_on() {
    let here = workplace();
    let config = format!(
        r#"
study = "study"
models = [{{ name = "tiny", model = "{}" }}]
generation = {{ documents = 8, sampling = {{ max_new_tokens = 8 }} }}
training = {{ max_steps = 2, batch_size = 1, sequence_length = 16 }}
corpora = [
  {{ name = "SGEAT", source = {{ kind = "self_generated" }} }},
  {{ name = "labelled", source = {{ kind = "labelled", file = "texts.jsonl", label = "toxic" }} }},
]
methods = [
  {{ name = "full" }},
  {{ name = "LoRA", method = {{ name = "lora", rank = 2 }}, learning_rate = {{ peak = 0.01 }} }},
]

[evaluation]
toxicity = {{ prompts = "prompts.jsonl", samples = 2, judges = ["profanity-check"] }}
perplexity = [{{ text = "texts.jsonl" }}]
"#,
        fixture("models/gpt2")
    );
    fs::write(here.path().join("study.toml"), config).unwrap();
    let first = detoxlm(here.path(), &["study", "study.toml"]).ok();
    for part in
        ["judged by profanity-check", "SGEAT     LoRA", "labelled  full", "What training took"]
    {
        assert!(first.stdout.contains(part), "{part}: {}", first.stdout);
    }
    assert!(first.stderr.contains("5 of 5: tiny, labelled, LoRA"), "{}", first.stderr);
    assert!(here.path().join("study/tiny-profanity-check.svg").is_file());
    let again = detoxlm(here.path(), &["study", "study.toml"]).ok();
    assert_eq!(again.stdout, first.stdout);
    let json = detoxlm(here.path(), &["study", "study.toml", "--json"]).ok().json();
    assert_eq!(json["cells"].as_array().unwrap().len(), 5);
    fs::write(here.path().join("none.toml"), "study = 's'\n").unwrap();
    detoxlm(here.path(), &["study", "none.toml"]).fails(2, &["`models`", "[[models]]"]);
}
