//! Models by their name on the Hub. What is fetched is tested with `detoxlm-hub`; here every command
//! finds a model in the cache, without a network.

use std::fs;
use std::path::Path;

use crate::support::{Outcome, detoxlm, detoxlm_in, fixture};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A directory with held-out text, and in `hf` a cache with the model `some-one/tiny`.
fn workplace() -> tempfile::TempDir {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path().join("hf/hub/models--some-one--tiny");
    let snapshot = folder.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(folder.join("refs")).unwrap();
    fs::write(folder.join("refs/main"), COMMIT).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let source = Path::new(&fixture("models/gpt2")).join(file);
        fs::copy(source, snapshot.join(file)).unwrap();
    }
    let text = "{\"text\":\"The river runs past the old mill.\"}\n";
    fs::write(here.path().join("texts.jsonl"), text.repeat(4)).unwrap();
    here
}

fn offline(here: &Path, arguments: &[&str]) -> Outcome {
    let home = here.join("hf");
    // What is set outside the test must not lead to another cache.
    let variables =
        [("HF_HOME", home.to_str().unwrap()), ("HF_HUB_CACHE", ""), ("HF_HUB_OFFLINE", "1")];
    detoxlm_in(here, &variables, arguments)
}

#[test]
fn every_command_takes_a_name() {
    let here = workplace();
    let call = |arguments: &[&str]| offline(here.path(), arguments).ok().json();
    let short = ["--max-new-tokens", "4", "--out", "o.jsonl", "--json"];
    let generate = ["generate", "--model", "some-one/tiny", "--unconditional", "1"];
    let written = call(&[&generate[..], &short[..]].concat());
    assert_eq!(written["model"]["name"], "candle:some-one/tiny@0123456789ab");

    let model = format!("some-one/tiny@{COMMIT}");
    let steps = ["--max-steps", "1", "--batch-size", "1", "--sequence-length", "8", "--json"];
    let train = ["train", "--model", &model, "--corpus", "texts.jsonl", "--out", "kind"];
    assert_eq!(call(&[&train[..], &steps[..]].concat())["training"]["steps"], 1);

    let evaluate = ["evaluate", "--model", "hf:some-one/tiny", "--suite", "perplexity"];
    let text = ["--text", "texts.jsonl", "--out", "ppl", "--json"];
    assert!(call(&[&evaluate[..], &text[..]].concat())["evaluation"].is_object());

    let config = "model = 'some-one/tiny'\nscorer = 'profanity-check'\nrun = 'run'\n\
                  generation = { documents = 4, sampling = { max_new_tokens = 4 } }\n\
                  training = { max_steps = 1, batch_size = 1, sequence_length = 8 }\n";
    fs::write(here.path().join("run.toml"), config).unwrap();
    let snapshot = format!("hf/hub/models--some-one--tiny/snapshots/{COMMIT}");
    assert_eq!(
        call(&["run", "run.toml", "--json"])["model"].as_str(),
        here.path().join(&snapshot).to_str()
    );
    // What Python puts beside the model is another file, not another model.
    fs::write(here.path().join(snapshot).join("merges.txt"), "").unwrap();
    call(&["run", "run.toml", "--json"]);
}

#[test]
fn what_is_neither_here_nor_in_the_cache_is_exit_code_4() {
    let here = workplace();
    let generate = |model: &str| {
        let arguments = ["generate", "--model", model, "--unconditional", "1", "--out", "-"];
        offline(here.path(), &arguments)
    };
    generate("some-one/large")
        .fails(4, &["models--some-one--large", "`some-one/large`", "HF_HUB_OFFLINE", "directory"]);
    fs::create_dir(here.path().join("models")).unwrap();
    generate("models/tiny").fails(4, &["models/tiny: no such directory", "hf:models/tiny"]);
    generate("tiny").fails(4, &["tiny: no such directory", "owner/name"]);
}

#[test]
fn a_directory_needs_no_hub() {
    let here = workplace();
    let model = fixture("models/gpt2");
    let arguments = ["generate", "--model", &model, "--unconditional", "1", "--out", "-"];
    let wrong = [("HF_ENDPOINT", "nonsense")];
    let short = [&arguments[..], &["--max-new-tokens", "2"]].concat();
    detoxlm_in(here.path(), &wrong, &short).ok();
    let help = detoxlm(here.path(), &["generate", "--help"]).ok().stdout;
    assert!(help.contains("owner/name@revision"), "{help}");
}
