//! The same numbers as the Python libraries, on the same weights.
#![cfg(feature = "libtorch")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{half, open};
use detoxlm_core::causal_lm::{CausalLm, TokenLikelihood, TokenSequence};
use detoxlm_tch::TchLm;
use detoxlm_test_models::{
    MODELS, TOLERANCE, adapters, assert_close, expected, fixture, greedy, log_probs, logits, step,
};
use serde::Deserialize;

#[test]
fn every_family_computes_what_transformers_does() {
    for name in MODELS {
        let expected = expected(name);
        let model = open(&fixture(name));
        for sequence in &expected.sequences {
            let ids = &sequence.ids;
            let mut session = model.decode_session(1, ids.len()).unwrap();
            let row = session.admit().unwrap();
            let logits = step(session.as_mut(), row, ids);
            assert_close(&logits, &sequence.logits, TOLERANCE, name);
            assert_eq!(greedy(&model, ids, sequence.greedy.len(), None), sequence.greedy, "{name}");
        }
        let tokenizer = model.tokenizer();
        assert_eq!(tokenizer.encode(&expected.text).unwrap(), expected.text_ids, "{name}");
        let ids = [&[tokenizer.bos()], expected.text_ids.as_slice()].concat();
        let log_probs = log_probs(&model, &ids);
        assert_close(&log_probs, &expected.token_log_probs, TOLERANCE, name);
        let mean = log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum::<f64>()
            / log_probs.len() as f64;
        assert!(((-mean).exp() / expected.perplexity - 1.0).abs() < 1e-3, "{name}");
    }
}

/// Of log-probabilities in `bf16`, whose 8 bits know a logit of 10 to within 0.03, after several layers.
const HALF_TOLERANCE: f32 = 0.2;

#[test]
fn half_the_digits_give_nearly_the_same_likelihoods() {
    for name in MODELS {
        let expected = expected(name);
        let model = TchLm::open(fixture(name), half()).unwrap();
        let ids = [&[model.tokenizer().bos()], expected.text_ids.as_slice()].concat();
        let found = log_probs(&model, &ids);
        assert_close(&found, &expected.token_log_probs, HALF_TOLERANCE, name);
        assert_ne!(found, expected.token_log_probs, "{name}");
        let stepped = logits(&model, &ids);
        let whole = log_probs(&open(&fixture(name)), &ids);
        for (index, (logits, expected)) in stepped.iter().zip(&whole).enumerate() {
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f32 = logits.iter().map(|logit| (logit - highest).exp()).sum();
            let found = logits[ids[index + 1] as usize] - highest - total.ln();
            assert!((found - expected).abs() < HALF_TOLERANCE, "{name}: {found} {expected}");
        }
    }
}

/// What the Python library computes with an adapter.
#[derive(Deserialize)]
struct Expected {
    base: String,
    tokens: Vec<u32>,
    /// After the last tokens.
    logits: Vec<Vec<f32>>,
    token_log_probs: Vec<f32>,
    base_logits: Vec<f32>,
}

#[test]
fn adapters_made_in_python_compute_what_they_do_there() {
    let mut directories: Vec<PathBuf> = fs::read_dir(adapters())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    directories.sort();
    assert_eq!(directories.len(), 17);
    for path in directories {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path.join("expected.json")).unwrap();
        let expected: Expected = serde_json::from_str(&text).unwrap();
        let base = open(&fixture(&expected.base));
        let model = base.with_adapter(&path).unwrap();
        let found = logits(&model, &expected.tokens);
        for (found, expected) in found[found.len() - 4..].iter().zip(&expected.logits) {
            assert_close(found, expected, TOLERANCE, &name);
        }
        let likelihoods = log_probs(&model, &expected.tokens);
        assert_close(&likelihoods, &expected.token_log_probs, TOLERANCE, &name);
        // The base beside it is untouched.
        let found = logits(&base, &expected.tokens);
        assert_close(found.last().unwrap(), &expected.base_logits, TOLERANCE, &name);
    }
}

/// What neighbours begin with is read once, and they are rated as if it were read for each.
#[test]
fn what_neighbours_share_changes_no_likelihood() {
    let numbers = |from: u32, count: u32| (from..from + count).map(|n| 3 + n * 71 % 290);
    let with = |shared: u32, from: u32, count: u32| -> Vec<u32> {
        numbers(0, shared).chain(numbers(from, count)).collect()
    };
    let texts = [
        with(30, 50, 9),
        with(30, 60, 3),
        with(30, 70, 1),
        // Nobody's neighbour, longer than the rests of the others, and one that has nothing to be rated.
        with(0, 90, 41),
        with(0, 95, 1),
        with(12, 80, 20),
        with(14, 85, 7),
    ];
    for (base, adapter) in [("gpt2", "prefix-gpt2"), ("llama3", "prefix-llama3")] {
        let base = open(&fixture(base));
        let adapted = base.with_adapter(adapters().join(adapter)).unwrap();
        for model in [&base, &adapted] {
            // From where on they are asked for: in what follows, at the seam, within what is shared.
            for from in [32, 30, 5, 1] {
                let asked: Vec<_> =
                    texts.iter().map(|tokens| TokenSequence { tokens, from }).collect();
                let together = model.token_likelihoods(&asked).unwrap();
                for (sequence, found) in asked.iter().zip(&together) {
                    let alone = model.token_likelihoods(&[*sequence]).unwrap().remove(0);
                    let values =
                        |of: &[TokenLikelihood]| of.iter().map(|t| t.log_prob).collect::<Vec<_>>();
                    assert_close(&values(found), &values(&alone), TOLERANCE, &format!("{from}"));
                    let greedy =
                        |of: &[TokenLikelihood]| of.iter().map(|t| t.is_greedy).collect::<Vec<_>>();
                    assert_eq!(greedy(found), greedy(&alone));
                }
            }
        }
    }
}

#[test]
fn several_adapters_share_a_base() {
    let base = open(&fixture("gpt2"));
    let names = ["lora-gpt2", "prefix-gpt2", "bottleneck-gpt2-double"];
    let models = names.map(|name| base.with_adapter(adapters().join(name)).unwrap());
    let digests: std::collections::BTreeSet<_> =
        models.iter().chain([&base]).map(|model| model.info().digest.clone()).collect();
    assert_eq!(digests.len(), 4);
    assert_eq!(models[0].info().name, "tch:gpt2+lora-gpt2");
    let texts: Vec<_> = models.iter().map(|model| greedy(model, &[5, 9, 11], 12, None)).collect();
    // An adapter of an adapted model takes the place of the first.
    let again = models[1].with_adapter(adapters().join(names[0])).unwrap();
    assert_eq!(greedy(&again, &[5, 9, 11], 12, None), texts[0]);
    assert_eq!(again.info(), models[0].info());
    // A prefix takes its part of the context.
    let context = |model: &TchLm| model.capabilities().context_length;
    assert_eq!(context(&models[1]), context(&base) - 5);
    assert!(models[1].decode_session(1, context(&base)).is_err());
}
