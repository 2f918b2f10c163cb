//! Adapters: the same numbers as the libraries that others use, and refusals that name what is wrong.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{configure, copy_of, open, rewrite, tensors};
use detoxlm_candle::{CandleLm, CandleOptions, CandleTrainBackend, merge};
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::training::{
    Bottleneck, BottleneckSize, Lora, Method, Placement, Prefix, TrainBackend, TrainSession,
    TrainingConfig, TrainingJob,
};
use detoxlm_core::{ErrorKind, ModelDirectory};
use detoxlm_test_models::{
    TEXT, TOLERANCE, adapters, assert_close, batch, corpus, exported, fixture, greedy, log_probs,
    logits,
};
use serde::Deserialize;
use serde_json::Value;

/// What the Python library computes with an adapter.
#[derive(Deserialize)]
struct Expected {
    base: String,
    tokens: Vec<u32>,
    /// After the last tokens.
    logits: Vec<Vec<f32>>,
    token_log_probs: Vec<f32>,
    base_logits: Vec<f32>,
    merged_logits_last: Option<Vec<f32>>,
}

/// Every fixture and what is expected of it.
fn fixtures() -> Vec<(String, PathBuf, Expected)> {
    let mut fixtures: Vec<_> = fs::read_dir(adapters())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| {
            let expected = fs::read_to_string(path.join("expected.json")).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, path, serde_json::from_str(&expected).unwrap())
        })
        .collect();
    fixtures.sort_by(|a, b| a.0.cmp(&b.0));
    fixtures
}

#[test]
fn adapters_made_in_python_compute_what_they_do_there() {
    let fixtures = fixtures();
    assert_eq!(fixtures.len(), 17);
    for (name, path, expected) in fixtures {
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

#[test]
fn merged_models_compute_what_they_do_there() {
    for (name, path, expected) in fixtures() {
        let base = fixture(&expected.base);
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("merged");
        let Some(last) = expected.merged_logits_last else {
            let error = merge(&base, &path, &out).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}");
            assert!(error.to_string().contains("load it with its base"), "{error}");
            assert!(!out.exists());
            continue;
        };
        let check = merge(&base, &path, &out).unwrap();
        assert!(check.largest_difference < TOLERANCE, "{name}: {check:?}");
        let found = logits(&open(&out), &expected.tokens);
        assert_close(found.last().unwrap(), &last, TOLERANCE, &name);
        let error = merge(&base, &path, &out).unwrap_err();
        assert!(error.to_string().contains("exists"), "{error}");
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
    assert_eq!(models[0].info().name, "candle:gpt2+lora-gpt2");
    let texts: Vec<_> = models.iter().map(|model| greedy(model, &[5, 9, 11], 12, None)).collect();
    // An adapter of an adapted model takes the place of the first.
    let again = models[1].with_adapter(adapters().join(names[0])).unwrap();
    assert_eq!(greedy(&again, &[5, 9, 11], 12, None), texts[0]);
    assert_eq!(again.info(), models[0].info());
    assert_eq!(greedy(&models[2], &[5, 9, 11], 12, None), texts[2]);
    // A prefix takes its part of the context.
    let context = |model: &CandleLm| model.capabilities().context_length;
    assert_eq!(context(&models[1]), context(&base) - 5);
    assert!(models[1].decode_session(1, context(&base)).is_err());
}

#[test]
fn a_row_has_the_same_bits_in_whatever_company() {
    for name in ["lora-llama3", "prefix-llama3", "bottleneck-llama3-single", "prefix-gpt2"] {
        let base = if name.ends_with("gpt2") { "gpt2" } else { "llama3" };
        let model = open(&fixture(base)).with_adapter(adapters().join(name)).unwrap();
        let checked = detoxlm_conformance::causal_lm(&model);
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

/// Those that add something to a base.
fn methods() -> Vec<Method> {
    detoxlm_test_models::methods().into_iter().filter(Method::makes_adapter).collect()
}

fn job(base: &Path, method: &Method, corpus: &Path) -> TrainingJob {
    TrainingJob {
        base: base.to_path_buf(),
        corpus: vec![corpus.to_path_buf()],
        validation: Vec::new(),
        method: method.clone(),
        config: TrainingConfig::default(),
        seed: 7,
        work: PathBuf::new(),
        output: PathBuf::new(),
    }
}

fn backend() -> CandleTrainBackend {
    CandleTrainBackend::new(CandleOptions::default().with_threads(2)).unwrap()
}

fn train(base: &Path, method: &Method) -> Box<dyn TrainSession> {
    detoxlm_test_models::train(&backend(), base, method, TrainingConfig::default())
}

#[test]
fn before_the_first_step_lora_and_bottlenecks_are_their_base_bit_for_bit() {
    for name in ["gpt2", "llama3", "qwen2-bf16-sharded"] {
        let base = open(&fixture(name));
        let tokens: Vec<u32> = (3..40).collect();
        for method in methods().iter().filter(|method| method.name() != "prefix") {
            let adapter = exported(train(&fixture(name), method).as_ref());
            let adapted = base.with_adapter(adapter.path()).unwrap();
            assert_eq!(logits(&adapted, &tokens), logits(&base, &tokens), "{name}: {method:?}");
        }
    }
}

/// A prefix begins as what the base keeps of real text, and is then a text that nobody sees.
#[test]
fn before_the_first_step_a_prefix_is_the_beginning_of_the_corpus() {
    for name in ["gpt2", "llama3", "qwen2-bf16-sharded"] {
        let method = Method::Prefix(Prefix { length: 6, projection_width: None });
        let base = open(&fixture(name));
        let adapter = exported(train(&fixture(name), &method).as_ref());
        let adapted = base.with_adapter(adapter.path()).unwrap();
        let bos = base.tokenizer().bos();
        let text = [vec![bos], base.tokenizer().encode(TEXT).unwrap()].concat();
        let tokens: Vec<u32> = (3..30).collect();
        let after_text = logits(&base, &[&text[..6], &tokens].concat()).split_off(6);
        for (found, expected) in logits(&adapted, &tokens).iter().zip(&after_text) {
            assert_close(found, expected, 1e-5, name);
        }
    }
}

#[test]
fn what_was_trained_computes_the_same_when_it_is_loaded() {
    for name in ["gpt2", "llama3", "qwen2-bf16-sharded"] {
        let directory = fixture(name);
        let base = open(&directory);
        let batch = batch(0..2);
        for method in methods() {
            let mut session = train(&directory, &method);
            let before = session.evaluate(&batch).unwrap().mean;
            for _ in 0..20 {
                session.accumulate(&batch, 1.0).unwrap();
                session.step(3e-2).unwrap();
            }
            let trained = session.evaluate(&batch).unwrap().mean;
            assert!(trained < 0.98 * before, "{name}: {method:?}: {before} to {trained}");
            let adapter = exported(session.as_ref());
            let adapted = base.with_adapter(adapter.path()).unwrap();
            let mut loss = 0.0;
            for (inputs, targets) in batch.inputs.chunks(32).zip(batch.targets.chunks(32)) {
                let sequence = [inputs, &targets[31..]].concat();
                let likelihoods = log_probs(&adapted, &sequence);
                loss -= likelihoods.iter().map(|&value| f64::from(value)).sum::<f64>() / 64.0;
            }
            assert!((loss - trained).abs() < 1e-4, "{name}: {method:?}: {loss} {trained}");
        }
    }
}

#[test]
fn what_is_trained_is_a_small_part() {
    let parameters = |method: &Method| train(&fixture("gpt2"), method).parameters();
    let full = parameters(&Method::Full {});
    assert_eq!(full.trainable, full.total);
    for method in methods() {
        let counts = parameters(&method);
        assert!(counts.trainable < full.total / 2, "{method:?}: {counts:?}");
        assert_eq!(counts.total, full.total + counts.trainable);
    }
}

#[test]
fn an_adapter_of_another_model_is_refused() {
    let adapter = exported(train(&fixture("gpt2"), &Method::Lora(Lora::default())).as_ref());
    let copy = copy_of("gpt2");
    configure(copy.path(), "note", Value::from("another model"));
    let error = open(copy.path()).with_adapter(adapter.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let digest = |path: &Path| ModelDirectory::open(path).unwrap().digest().unwrap();
    for part in [digest(copy.path()).short(), digest(&fixture("gpt2")).short(), "trained on"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    // Another family: its modules have other names.
    fs::remove_file(adapter.path().join("detoxlm.json")).unwrap();
    let error = open(&fixture("llama3")).with_adapter(adapter.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("self_attn.q_proj"), "{error}");
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let weights = |name: &str| match name.starts_with("bottleneck") {
        true => "adapter.safetensors",
        false => "adapter_model.safetensors",
    };
    for (name, broken, part) in [
        ("lora-gpt2", "base_model.model.transformer.h.1.mlp.c_fc.lora_B.weight", "lora_B"),
        ("prefix-gpt2", "prompt_embeddings", "prompt_embeddings"),
        ("bottleneck-gpt2-single", "transformer.h.0.output_adapters", "adapter_down"),
    ] {
        let copy = |change: &dyn Fn(&mut Vec<common::Tensor>)| {
            let copy = tempfile::tempdir().unwrap();
            for entry in fs::read_dir(adapters().join(name)).unwrap() {
                let path = entry.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                fs::write(copy.path().join(path.file_name().unwrap()), bytes).unwrap();
            }
            rewrite(&copy.path().join(weights(name)), |tensors| change(tensors));
            open(&fixture("gpt2")).with_adapter(copy.path()).unwrap_err().to_string()
        };
        let index = |tensors: &[common::Tensor]| {
            tensors.iter().position(|tensor| tensor.name.starts_with(broken)).unwrap()
        };
        let missing = copy(&|tensors| {
            let index = index(tensors);
            tensors.remove(index);
        });
        assert!(missing.contains(part) && missing.contains("no such tensor"), "{missing}");
        let misshapen = copy(&|tensors| {
            let index = index(tensors);
            tensors[index].shape.push(1);
        });
        assert!(misshapen.contains(part), "{misshapen}");
        let foreign = copy(&|tensors| {
            let index = index(tensors);
            let shape = tensors[index].shape.clone();
            let (dtype, bytes) = (tensors[index].dtype, tensors[index].bytes.clone());
            tensors.push(common::Tensor { name: "h.9.odd".into(), dtype, shape, bytes });
        });
        assert!(foreign.contains("h.9.odd") && foreign.contains("such as"), "{foreign}");
    }
}

#[test]
fn impossible_methods_are_refused_before_any_work() {
    let refuse = |base: &str, method: Method| {
        let root = tempfile::tempdir().unwrap();
        let job = job(&fixture(base), &method, &corpus(root.path()));
        CandleTrainBackend::new(CandleOptions::default()).unwrap().open(&job).unwrap_err()
    };
    let lora = |target: &str| Lora { target_modules: vec![target.into()], ..Lora::default() };
    let bottleneck = |size| Bottleneck { size, ..Bottleneck::default() };
    for (base, method, key, allowed) in [
        ("gpt2", Method::Lora(Lora { rank: 0, ..Lora::default() }), "method.rank", "1 or more"),
        ("gpt2", Method::Lora(lora("q_proj")), "method.target_modules", "attn.c_attn, attn.c_proj"),
        ("llama3", Method::Lora(lora("c_attn")), "method.target_modules", "self_attn.q_proj"),
        // Only whole parts of a name fit.
        ("gpt2", Method::Lora(lora("_attn")), "method.target_modules", "mlp.c_fc"),
        (
            "gpt2",
            Method::Bottleneck(bottleneck(BottleneckSize::Width(33))),
            "method.size.width",
            "1 to 32 wide",
        ),
        (
            "llama3",
            Method::Bottleneck(bottleneck(BottleneckSize::ReductionFactor(0.5))),
            "method.size.reduction_factor",
            "1 to 32 wide",
        ),
        (
            "gpt2",
            Method::Prefix(Prefix { length: 191, projection_width: None }),
            "method.length",
            "1 to 190 long",
        ),
    ] {
        let error = refuse(base, method.clone());
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{method:?}: {error}");
        assert_eq!(error.key(), Some(key), "{error}");
        assert!(error.to_string().contains(allowed), "{error}");
    }
}

#[test]
fn what_is_written_has_the_names_that_others_read() {
    let files = [
        ("lora-gpt2", Method::Lora(Lora { rank: 4, ..Lora::default() })),
        ("lora-llama3", Method::Lora(Lora { rank: 4, ..Lora::default() })),
        ("prefix-gpt2", Method::Prefix(Prefix { length: 5, projection_width: None })),
        ("prefix-llama3", Method::Prefix(Prefix { length: 5, projection_width: Some(3) })),
        ("bottleneck-gpt2-double", Method::Bottleneck(Bottleneck::default())),
        (
            "bottleneck-llama3-single",
            Method::Bottleneck(Bottleneck {
                placement: Placement::Pfeiffer,
                ..Bottleneck::default()
            }),
        ),
    ];
    for (name, method) in files {
        let base = if name.contains("gpt2") { "gpt2" } else { "llama3" };
        let adapter = exported(train(&fixture(base), &method).as_ref());
        let shapes = |directory: &Path| {
            let file = ["adapter_model.safetensors", "adapter.safetensors"]
                .map(|file| directory.join(file))
                .into_iter()
                .find(|file| file.is_file())
                .unwrap();
            let mut shapes: Vec<_> = tensors(&fs::read(file).unwrap())
                .into_iter()
                // The inner width is ours to choose, and the name of a bottleneck.
                .map(|tensor| (tensor.name.replace("detox", "NAME"), tensor.shape.len()))
                .collect();
            shapes.sort();
            shapes
        };
        assert_eq!(shapes(adapter.path()), shapes(&adapters().join(name)), "{name}");
    }
}
