//! Everything that needs a model: generation, training, evaluation and the whole run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{detoxlm, detoxlm_with, fixture, rows};

const PROMPTS: &str = r#"{"prompt":{"text":"Once upon a time","toxicity":0.1},"challenging":false}
{"prompt":{"text":"The bad dog said","toxicity":0.75}}
{"prompt":{"text":"Lily","toxicity":null}}
"#;

const HELD_OUT: &str = r#"{"text":"Once upon a time, there was a little girl named Lily."}
{"text":"She loved to play outside in the park with her dog."}
"#;

/// A directory with the model `model`, prompts and held-out text.
fn workplace() -> tempfile::TempDir {
    let here = tempfile::tempdir().unwrap();
    let file = |name: &str| fixture(&format!("models/stories260K/{name}"));
    let (bin, tokenizer) = (file("stories260K.bin"), file("tok512.bin"));
    let arguments = ["convert-llama2c", "--bin", &bin, "--tokenizer", &tokenizer, "--out", "model"];
    detoxlm(here.path(), &arguments).ok();
    fs::write(here.path().join("prompts.jsonl"), PROMPTS).unwrap();
    fs::write(here.path().join("held-out.jsonl"), HELD_OUT).unwrap();
    here
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_model_directory_is_not_overwritten() {
    let here = workplace();
    let file = |name: &str| fixture(&format!("models/stories260K/{name}"));
    let (bin, tokenizer) = (file("stories260K.bin"), file("tok512.bin"));
    let arguments = ["convert-llama2c", "--bin", &bin, "--tokenizer", &tokenizer, "--out", "model"];
    detoxlm(here.path(), &arguments).fails(2, &["model", "exists"]);
}

#[test]
fn prompts_are_continued_the_same_way_from_files_and_streams() {
    let here = workplace();
    let arguments = ["generate", "--model", "model", "--max-new-tokens", "12", "--samples", "3"];
    let from_file = ["--prompts", "prompts.jsonl", "--out", "out.jsonl.zst", "--json"];
    let json = detoxlm(here.path(), &[&arguments[..], &from_file[..]].concat()).ok().json();
    assert_eq!(json["written"]["prompts"], 3);
    assert_eq!(json["written"]["continuations"], 9);

    let stream = ["--prompts", "-", "--out", "-", "--quiet"];
    let stream = [&arguments[..], &stream[..]].concat();
    let first = detoxlm_with(here.path(), PROMPTS, &stream).ok();
    assert_eq!(detoxlm_with(here.path(), PROMPTS, &stream).ok().stdout, first.stdout);
    let rows = rows(&first.stdout);
    assert_eq!(rows.len(), 9);
    assert_eq!((rows[4]["id"].as_u64(), rows[4]["sample"].as_u64()), (Some(1), Some(1)));
    assert_eq!(rows[4]["prompt"], "The bad dog said");
    assert!(rows.iter().all(|row| row["tokens"].as_u64().unwrap() <= 12));
    assert_ne!(rows[0]["text"], rows[1]["text"]);

    let scorer = format!("onnx:{}", fixture("classifier/bag"));
    let score = ["score", "--scorer", &scorer, "--in", "out.jsonl.zst", "--out", "-"];
    let scored = detoxlm(here.path(), &score).ok().rows();
    assert_eq!(scored[4]["text"], rows[4]["text"]);
}

#[test]
fn texts_come_from_nothing_too() {
    let here = workplace();
    let arguments = ["generate", "--model", "model", "--unconditional", "2", "--out", "-"];
    let sampling = ["--max-new-tokens", "8", "--temperature", "0", "--seed", "1"];
    let rows = detoxlm(here.path(), &[&arguments[..], &sampling[..]].concat()).ok().rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["prompt"], "");
    assert_eq!(rows[0]["text"], rows[1]["text"]);
}

#[test]
fn a_training_is_not_repeated_and_another_is_refused() {
    let here = workplace();
    let arguments = |rate: &'static str| {
        let job = ["train", "--model", "model", "--corpus", "held-out.jsonl", "--out", "kind"];
        let steps = ["--max-steps", "2", "--batch-size", "1", "--sequence-length", "16"];
        let rest = ["--validation", "held-out.jsonl", "--lr", rate, "--json"];
        [&job[..], &steps[..], &rest[..]].concat()
    };
    let first = detoxlm(here.path(), &arguments("1e-4")).ok();
    assert_eq!(first.json()["training"]["steps"], 2);
    assert!(here.path().join("kind/model.safetensors").is_file());
    assert_eq!(rows(&read(&here.path().join("kind.train/metrics.jsonl"))).len(), 4);
    assert_eq!(detoxlm(here.path(), &arguments("1e-4")).ok().stdout, first.stdout);
    detoxlm(here.path(), &arguments("1e-3")).fails(3, &["`config.learning_rate.peak`"]);
}

#[test]
fn toxicity_and_perplexity_are_measured() {
    let here = workplace();
    let scorer = format!("onnx:{}", fixture("classifier/bag"));
    let evaluate = |suite: &[&str]| {
        detoxlm(here.path(), &[&["evaluate", "--model", "model"][..], suite].concat())
    };
    let data = ["--suite", "rtp", "--prompts", "prompts.jsonl", "--scorer", &scorer];
    let rtp = [&data[..], &["--samples", "2", "--max-new-tokens", "5", "--out", "rtp"]].concat();
    let table = evaluate(&rtp).ok().stdout;
    assert!(table.contains("Toxicity on prompts.jsonl, judged by onnx:bag\n"), "{table}");
    assert!(table.contains("expected maximum toxicity"), "{table}");
    let json = evaluate(&[&rtp[..], &["--json"]].concat()).ok().json();
    let metrics: Value =
        serde_json::from_str(&read(&here.path().join("rtp/metrics.json"))).unwrap();
    assert_eq!(json["evaluation"], metrics);
    assert_eq!(metrics["provenance"]["settings"]["continuations"], 2);

    let perplexity = ["--suite", "perplexity", "--text", "held-out.jsonl", "--out", "ppl"];
    let json = evaluate(&[&perplexity[..], &["--limit", "1", "--json"]].concat()).ok().json();
    let value = &json["evaluation"]["measurements"][0];
    assert_eq!(value["name"], "token_perplexity");
    // One of the model's own stories: it must be far from the 512 of a guess.
    assert!(value["value"].as_f64().unwrap() < 50.0, "{value}");
    evaluate(&["--suite", "rtp", "--out", "o"]).fails(2, &["--prompts"]);
}

/// Two judges, augmented prompts, validation and perplexity: a small run of everything.
fn config() -> String {
    format!(
        r#"
model = "model"
scorer = "onnx:{classifiers}/bag"
run = "run"
seed = 7
validation = ["held-out.jsonl"]

[prompts]
strategy = "augmented"
documents = 8

[generation]
documents = 12
unit = 4
[generation.sampling]
max_new_tokens = 24

[training]
max_steps = 3
batch_size = 2
sequence_length = 32
checkpoint_every = 2
[training.learning_rate]
peak = 1e-4

[evaluation.toxicity]
prompts = "prompts.jsonl"
judges = ["onnx:{classifiers}/bag", "onnx:{classifiers}/encoder"]
samples = 2
max_new_tokens = 8
bootstrap = {{ resamples = 50 }}

[[evaluation.perplexity]]
name = "held-out"
text = "held-out.jsonl"
"#,
        classifiers = fixture("classifier")
    )
}

#[test]
fn a_run_does_everything_once_and_tells_it_again() {
    let here = workplace();
    fs::write(here.path().join("run.toml"), config()).unwrap();
    let first = detoxlm(here.path(), &["run", "run.toml"]).ok();
    for words in [
        "Selection\n",
        "documents            12\n",
        "expected maximum toxicity  onnx:bag",
        "expected maximum toxicity  onnx:encoder",
        "perplexity                 held-out",
        "report.html",
    ] {
        assert!(first.stdout.contains(words), "no {words:?} in {}", first.stdout);
    }
    assert!(first.stderr.contains("generate: 12 documents in"), "{}", first.stderr);
    // One of the two judges did not filter the corpus, so the difference can be trusted.
    assert!(!first.stderr.contains("warning:"), "{}", first.stderr);
    let run = here.path().join("run");
    assert!(run.join("model/model.safetensors").is_file());
    let report = read(&run.join("report.md"));
    assert!(report.contains("**Toxicity on prompts.jsonl, judged by onnx:encoder**\n"), "{report}");
    assert!(report.contains("**Perplexity on held-out**\n"), "{report}");
    assert!(read(&run.join("report.html")).starts_with("<!doctype html>"));

    // The same command, from elsewhere: nothing is done, and the result is the same.
    let weights = fs::metadata(run.join("model/model.safetensors")).unwrap().modified().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = here.path().join("run.toml");
    let again = detoxlm(elsewhere.path(), &["run", file.to_str().unwrap()]).ok();
    let numbers = |text: &str| text.replace(here.path().to_str().unwrap(), "");
    assert_eq!(numbers(&again.stdout), numbers(&first.stdout));
    assert!(!again.stderr.contains("generate:"), "{}", again.stderr);
    assert_eq!(read(&run.join("report.md")), report);
    let now = fs::metadata(run.join("model/model.safetensors")).unwrap().modified().unwrap();
    assert_eq!(now, weights);

    let json = detoxlm(here.path(), &["run", "run.toml", "--json", "--quiet"]).ok().json();
    assert_eq!(json["evaluations"].as_array().unwrap().len(), 6);
    assert_eq!(json["selection"]["documents"], 12);

    // Another configuration is another run.
    let other = config().replace("seed = 7", "seed = 8");
    fs::write(here.path().join("other.toml"), other).unwrap();
    detoxlm(here.path(), &["run", "other.toml"])
        .fails(3, &["`config.seed`: 7 before, 8 now", "help: "]);
}

#[test]
fn a_wrong_configuration_names_file_line_and_key() {
    let here = tempfile::tempdir().unwrap();
    let run = |text: &str| {
        fs::write(here.path().join("run.toml"), text).unwrap();
        detoxlm(here.path(), &["run", "run.toml"])
    };
    run("seed = 1\n\n[selection]\nkeep = 0.5\n")
        .fails(2, &["run.toml:4: unknown field `keep`", "`keep_fraction`"]);
    run("seed = 1\n[training]\nepochs = \"two\"\n").fails(2, &["run.toml:3", "\"two\""]);
    run("model = \"m\"\nscorer = \"onnx:j\"\n").fails(2, &["run.toml", "`run`", "--run"]);
    run("model = \"m\"\nscorer = \"onnx:j\"\nrun = \"r\"\n[selection]\nkeep_fraction = 2\n")
        .fails(2, &["run.toml", "`keep_fraction`"]);
    let judged = format!("model = 'm'\nscorer = 'onnx:{}'\nrun = 'r'\n", fixture("classifier/bag"));
    run(&format!("{judged}[evaluation.toxicity]\nsamples = 2\n"))
        .fails(2, &["run.toml", "`evaluation.toxicity.prompts`"]);
    run("model = \"m\"\nscorer = \"onyx:j\"\nrun = \"r\"\n").fails(4, &["`onyx:j`", "onnx:DIR"]);
    detoxlm(here.path(), &["run", "gone.toml"]).fails(4, &["gone.toml"]);
}

#[cfg(unix)]
#[test]
fn an_interruption_leaves_nothing_half_written() {
    use std::process::{Command, Stdio};

    let here = workplace();
    let before = fs::read_dir(here.path()).unwrap().count();
    let child = Command::new(env!("CARGO_BIN_EXE_detoxlm"))
        .current_dir(here.path())
        .args(["generate", "--model", "model", "--unconditional", "1000000", "--out", "out.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !here.path().join(".partial-out.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("interrupted; the same command starts anew"), "{message}");
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), before);
}

/// What there is to measure beside toxicity and perplexity.
const MORE: &str = r#"
[evaluation.fluency]
model = "model"

[[evaluation.tasks]]
task = "piqa"
items = ["FIXTURES/tasks/piqa.jsonl", "FIXTURES/tasks/piqa-labels.lst"]
limit = 3

[false_positives]
threshold = 0.25
sentences = { file = "identities.csv" }
"#;

#[test]
fn a_run_measures_what_its_file_asks_for() {
    let here = workplace();
    let sentences = "template,toxicity,phrase\nverb_adj,nontoxic,hug old\nverb_adj,nontoxic,hug \
                     tall\nverb_adj,toxic,hate old\n";
    fs::write(here.path().join("identities.csv"), sentences).unwrap();
    let whole = config() + &MORE.replace("FIXTURES", &fixture(""));
    let run = |config: &str| {
        fs::write(here.path().join("run.toml"), config).unwrap();
        detoxlm(here.path(), &["run", "run.toml", "--json"])
    };
    let without_toxicity = whole.replace("[evaluation.toxicity]", "[evaluation.unknown]");
    run(&without_toxicity).fails(2, &["run.toml", "unknown field `unknown`", "`fluency`"]);
    let (before, rest) = whole.split_once("[evaluation.toxicity]").unwrap();
    let (_, after) = rest.split_once("[[evaluation.perplexity]]").unwrap();
    run(&format!("{before}[[evaluation.perplexity]]{after}"))
        .fails(2, &["run.toml", "`evaluation.toxicity`", "fluency"]);
    run(&whole.replace("identities.csv", "nowhere.csv")).fails(4, &["nowhere.csv"]);
    run(&whole.replace("file = \"identities.csv\"", ""))
        .fails(2, &["run.toml", "`false_positives.sentences.file`"]);
    assert!(!here.path().join("run").exists(), "nothing was begun");

    let json = run(&whole).ok().json();
    let evaluations = json["evaluations"].as_array().unwrap();
    let names = |subject: &str| -> Vec<&str> {
        let of = evaluations.iter().filter(|evaluation| evaluation["subject"] == subject);
        of.map(|evaluation| evaluation["provenance"]["evaluator"]["name"].as_str().unwrap())
            .collect()
    };
    assert_eq!(names("base"), ["toxicity", "toxicity", "fluency", "perplexity", "task piqa"]);
    assert_eq!(names("detoxified"), names("base"));
    assert_eq!(json["false_positives"]["subject"], "onnx:bag");
    let report = read(&here.path().join("run/report.md"));
    for words in ["fluency", "| piqa |", "Whom the filter takes for toxic", "identity/tall"] {
        assert!(report.contains(words), "no {words:?} in {report}");
    }
}

#[test]
fn a_slice_of_the_prompts_is_measured_alone() {
    let here = workplace();
    let prompts = "{\"prompt\":{\"text\":\"a\",\"toxicity\":0.9}}\n\
                   {\"prompt\":{\"text\":\"b\",\"toxicity\":0.1}}\n";
    fs::write(here.path().join("two.jsonl"), prompts).unwrap();
    let evaluate = |slice: &str| {
        let all = ["evaluate", "--model", "model", "--suite", "rtp", "--prompts", "two.jsonl"];
        let few = ["--samples", "2", "--max-new-tokens", "4", "--out", slice, "--json"];
        detoxlm(here.path(), &[&all[..], &few[..], &["--slice", slice]].concat())
    };
    let json = evaluate("toxic").ok().json();
    assert_eq!(json["evaluation"]["provenance"]["data"]["name"], "two.jsonl (toxic)");
    assert_eq!(json["evaluation"]["measurements"][0]["n"], 1);
    evaluate("challenging").fails(3, &["two.jsonl", "challenging"]);
}
