//! Models that begin here: random, in half precision, and the one that comes with the crate.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::open;
use detoxlm_candle::{CandleLm, initialise, to_half_precision, write_embedded_model};
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::{Digest, ErrorKind};
use detoxlm_test_models::fixture;
use safetensors::{Dtype, SafeTensors};

/// What describes the fixture's model, without its weights.
fn description(name: &str, into: &Path) -> PathBuf {
    let directory = into.join("description");
    fs::create_dir(&directory).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        fs::copy(fixture(name).join(file), directory.join(file)).unwrap();
    }
    directory
}

/// A tensor's values, which are stored in single precision.
fn values(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
    tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

fn deviation(values: &[f32]) -> f64 {
    let squares: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
    (squares / values.len() as f64).sqrt()
}

fn mean_log_prob(model: &CandleLm, text: &str) -> f64 {
    let tokens = model.tokenizer().encode(text).unwrap();
    let likelihoods = &model.token_likelihoods(&[(&tokens).into()]).unwrap()[0];
    let sum: f64 = likelihoods.iter().map(|token| f64::from(token.log_prob)).sum();
    sum / likelihoods.len() as f64
}

#[test]
fn a_new_gpt2_has_gpt2s_initialisation() {
    let here = tempfile::tempdir().unwrap();
    let out = here.path().join("new");
    initialise(description("gpt2", here.path()), 1, &out).unwrap();
    let bytes = fs::read(out.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let residual = 0.02 / (2.0 * 2.0_f64).sqrt();
    for (name, expected) in [
        ("transformer.wte.weight", 0.02),
        ("transformer.h.1.attn.c_attn.weight", 0.02),
        ("transformer.h.0.attn.c_proj.weight", residual),
        ("transformer.h.1.mlp.c_proj.weight", residual),
    ] {
        let found = deviation(&values(&file, name));
        assert!((found / expected - 1.0).abs() < 0.06, "{name}: {found}");
    }
    assert!(values(&file, "transformer.h.0.ln_1.weight").iter().all(|&value| value == 1.0));
    assert!(values(&file, "transformer.h.0.mlp.c_fc.bias").iter().all(|&value| value == 0.0));
}

#[test]
fn every_family_can_begin_anew_and_a_seed_is_a_model() {
    for name in ["gpt2", "llama3", "qwen2-bf16-sharded"] {
        let here = tempfile::tempdir().unwrap();
        let description = description(name, here.path());
        let digest = |seed: u64, out: &str| {
            let out = here.path().join(out);
            initialise(&description, seed, &out).unwrap();
            open(&out);
            Digest::of_directory(&out).unwrap()
        };
        let first = digest(1, "first");
        assert_eq!(digest(1, "again"), first, "{name}");
        assert_ne!(digest(2, "other"), first, "{name}");
    }
}

#[test]
fn half_precision_is_half_the_file_and_nearly_the_same_model() {
    let here = tempfile::tempdir().unwrap();
    let half = here.path().join("half");
    to_half_precision(fixture("gpt2"), &half).unwrap();
    let size =
        |directory: &Path| fs::metadata(directory.join("model.safetensors")).unwrap().len() as f64;
    assert!((size(&half) / size(&fixture("gpt2")) - 0.5).abs() < 0.1);
    let config = fs::read_to_string(half.join("config.json")).unwrap();
    assert!(config.contains("\"float16\""), "{config}");
    let log_prob = |directory: &Path| mean_log_prob(&open(directory), "The river runs to the sea.");
    assert!((log_prob(&half) - log_prob(&fixture("gpt2"))).abs() < 1e-3);
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let here = tempfile::tempdir().unwrap();
    let description = description("gpt2", here.path());
    for error in [
        initialise(&description, 1, here.path()).unwrap_err(),
        to_half_precision(fixture("gpt2"), here.path()).unwrap_err(),
        write_embedded_model(here.path()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains("exists already"), "{error}");
    }
}

#[test]
fn the_embedded_model_is_small_and_knows_english() {
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().join("model");
    write_embedded_model(&directory).unwrap();
    let size: u64 = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size <= 16_000_000, "{size} bytes");
    let model = open(&directory);
    let log_prob = |text| mean_log_prob(&model, text);
    let sentence = log_prob("I have been playing this game for a few years now.");
    let shuffled = log_prob("Game few this years a been have playing I now for.");
    assert!(sentence > shuffled + 0.5, "{sentence} {shuffled}");
}
