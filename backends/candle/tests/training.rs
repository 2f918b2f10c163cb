//! The contracts of the training session.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{configure, copy_of, open, tensors};
use detoxlm_candle::{CandleOptions, CandleTrainBackend};
use detoxlm_core::causal_lm::{CausalLm, TokenSequence};
use detoxlm_core::training::{
    Method, TokenBatch, TrainBackend, TrainSession, TrainingConfig, TrainingJob,
};
use detoxlm_core::{Error, ErrorKind};
use detoxlm_test_models::{MODELS, assert_close, fixture};
use serde_json::{Value, json};

fn job(base: &Path) -> TrainingJob {
    TrainingJob {
        base: base.to_path_buf(),
        corpus: Vec::new(),
        validation: Vec::new(),
        method: Method::Full {},
        config: TrainingConfig::default(),
        seed: 0,
        work: PathBuf::new(),
        output: PathBuf::new(),
    }
}

fn train(base: &Path, threads: usize) -> Box<dyn TrainSession> {
    let options = CandleOptions::default().with_threads(threads);
    CandleTrainBackend::new(options).unwrap().open(&job(base)).unwrap()
}

/// Four sequences of a text that repeats.
fn batch() -> TokenBatch {
    let ids = |shift: u32| (0..4 * 32).map(|index| 3 + (index + shift) * 71 % 97).collect();
    TokenBatch { inputs: ids(0), targets: ids(1), sequences: 4, length: 32 }
}

fn steps(session: &mut dyn TrainSession, count: usize) {
    for _ in 0..count {
        session.accumulate(&batch(), 1.0).unwrap();
        assert!(session.step(1e-2).unwrap().is_finite());
    }
}

/// Everything that a session depends on, as bytes.
fn state(session: &dyn TrainSession) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    session.save(directory.path()).unwrap();
    fs::read(directory.path().join("state.safetensors")).unwrap()
}

#[test]
fn ten_steps_on_a_batch_cut_its_loss() {
    for name in MODELS {
        let mut session = train(&fixture(name), 2);
        let before = session.evaluate(&batch()).unwrap();
        assert_eq!(before.tokens, 128);
        steps(session.as_mut(), 10);
        let after = session.evaluate(&batch()).unwrap();
        assert!(after.mean < 0.6 * before.mean, "{name}: {} to {}", before.mean, after.mean);
    }
}

#[test]
fn a_restored_session_goes_on_with_the_same_bits() {
    for name in MODELS {
        let mut session = train(&fixture(name), 2);
        steps(session.as_mut(), 3);
        let directory = tempfile::tempdir().unwrap();
        session.save(directory.path()).unwrap();
        steps(session.as_mut(), 5);

        let mut restored = train(&fixture(name), 2);
        // What was there, gradients included, is gone.
        restored.accumulate(&batch(), 3.0).unwrap();
        restored.restore(directory.path()).unwrap();
        steps(restored.as_mut(), 5);
        assert!(state(restored.as_ref()) == state(session.as_ref()), "{name}");
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for name in ["gpt2", "llama3"] {
        let [one, three] = [1, 3].map(|threads| {
            let mut session = train(&fixture(name), threads);
            steps(session.as_mut(), 3);
            state(session.as_ref())
        });
        assert!(one == three, "{name}");
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    let mut session = train(&fixture("gpt2"), 1);
    let before = state(session.as_ref());
    session.accumulate(&batch(), f64::MAX).unwrap();
    assert!(!session.step(1e-3).unwrap().is_finite());
    assert!(state(session.as_ref()) == before);
    // The gradients are gone all the same.
    steps(session.as_mut(), 1);
}

#[test]
fn what_is_exported_is_the_base_with_other_numbers() {
    for name in MODELS {
        let mut session = train(&fixture(name), 2);
        let exported = tempfile::tempdir().unwrap();
        session.export(exported.path()).unwrap();
        let untouched = open(exported.path());
        steps(session.as_mut(), 2);
        session.export(exported.path()).unwrap();

        let read = |directory: &Path, file: &str| fs::read(directory.join(file)).unwrap();
        let mut described: Vec<_> = fs::read_dir(fixture(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "safetensors"))
            .flat_map(|path| tensors(&fs::read(path).unwrap()))
            .map(|tensor| (tensor.name, tensor.shape))
            .collect();
        described.sort();
        let written = tensors(&read(exported.path(), "model.safetensors"));
        assert!(written.iter().all(|tensor| tensor.dtype == safetensors::Dtype::F32), "{name}");
        let written: Vec<_> =
            written.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
        assert_eq!(written, described, "{name}");

        let config = |directory: &Path| -> Value {
            serde_json::from_slice(&read(directory, "config.json")).unwrap()
        };
        let mut expected = config(&fixture(name));
        expected["dtype"] = json!("float32");
        assert_eq!(config(exported.path()), expected, "{name}");
        for file in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
            assert_eq!(read(exported.path(), file), read(&fixture(name), file), "{name}");
        }

        // Training and decoding compute the same model.
        let batch = batch();
        let model = open(exported.path());
        let rated = |model: &dyn CausalLm| -> Vec<f32> {
            let sequences: Vec<Vec<u32>> = batch
                .inputs
                .chunks(32)
                .zip(batch.targets.chunks(32))
                .map(|(inputs, targets)| [inputs, &targets[31..]].concat())
                .collect();
            let sequences: Vec<_> = sequences.iter().map(TokenSequence::from).collect();
            let rated = model.token_likelihoods(&sequences).unwrap();
            rated.into_iter().flatten().map(|token| token.log_prob).collect()
        };
        let log_probs = rated(&model);
        let mean = log_probs.iter().sum::<f32>() / log_probs.len() as f32;
        let loss = session.evaluate(&batch).unwrap().mean as f32;
        assert_close(&[-mean], &[loss], 1e-4, name);
        assert_close(&rated(&untouched), &rated(&open(&fixture(name))), 0.0, name);
    }
}

#[test]
fn an_old_configuration_keeps_its_name_for_the_type() {
    let copy = copy_of("gpt2");
    configure(copy.path(), "torch_dtype", json!("float16"));
    let path = copy.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"dtype\":", "\"other\":");
    fs::write(&path, text).unwrap();
    let exported = tempfile::tempdir().unwrap();
    train(copy.path(), 1).export(exported.path()).unwrap();
    let config = fs::read_to_string(exported.path().join("config.json")).unwrap();
    assert!(config.contains("\"torch_dtype\": \"float32\"") && !config.contains("\"dtype\""));
}

#[test]
fn who_trains_what() {
    let session = train(&fixture("gpt2"), 1);
    let parameters = session.parameters();
    // (320 + 192) * 32 embeddings, two blocks of 12 * 32^2 + 13 * 32, and the last norm.
    assert_eq!(parameters.total, 16_384 + 2 * (12_288 + 416) + 64);
    assert_eq!(parameters.trainable, parameters.total);
    assert_eq!((session.context_length(), session.vocabulary()), (192, 320));
    let expected = detoxlm_test_models::expected("gpt2");
    assert_eq!(session.tokenizer().encode(&expected.text).unwrap(), expected.text_ids);
}

#[track_caller]
fn assert_names(error: &Error, kind: ErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let mut session = train(&fixture("gpt2"), 1);
    let mut refuse = |change: &dyn Fn(&mut TokenBatch), message: &str| {
        let mut batch = batch();
        change(&mut batch);
        let error = session.accumulate(&batch, 1.0).unwrap_err();
        assert_names(&error, ErrorKind::InvalidInput, &[message]);
        assert_eq!(session.evaluate(&batch).unwrap_err().to_string(), error.to_string());
    };
    refuse(&|batch| batch.inputs[7] = 320, "token 320 is not in the vocabulary of 320");
    refuse(&|batch| batch.targets[7] = u32::MAX, "token 4294967295 is not in the vocabulary");
    refuse(&|batch| batch.length = 31, "128 inputs and 128 targets are not 4 sequences of 31");
    refuse(
        &|batch| *batch = TokenBatch { inputs: vec![], targets: vec![], sequences: 0, length: 0 },
        "0 inputs",
    );
    refuse(
        &|batch| {
            *batch = TokenBatch {
                inputs: vec![1; 193],
                targets: vec![1; 193],
                sequences: 1,
                length: 193,
            };
        },
        "193 tokens is longer than the context of 192",
    );
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut session = train(&fixture("gpt2"), 1);
    let before = state(session.as_ref());
    let directory = tempfile::tempdir().unwrap();
    let mut refused = |kind, parts: &[&str]| {
        let error = session.restore(directory.path()).unwrap_err();
        assert_names(&error, kind, parts);
        assert!(error.to_string().contains("state.safetensors"), "{error}");
        assert!(state(session.as_ref()) == before);
    };
    refused(ErrorKind::NotFound, &[]);
    train(&fixture("llama3"), 1).save(directory.path()).unwrap();
    refused(ErrorKind::Incompatible, &["tensors instead of 85", "another model"]);

    let file = directory.path().join("state.safetensors");
    train(&fixture("gpt2"), 1).save(directory.path()).unwrap();
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 8]).unwrap();
    refused(ErrorKind::InvalidInput, &["not as long as its header says"]);
    fs::write(&file, &bytes).unwrap();
    common::rewrite(&file, |tensors| {
        let at = tensors.iter().position(|tensor| tensor.name == "steps").unwrap();
        tensors[at].dtype = safetensors::Dtype::I64;
    });
    refused(ErrorKind::InvalidInput, &["`steps`: no such tensor"]);
    fs::write(&file, &bytes).unwrap();
    common::rewrite(&file, |tensors| {
        let at = tensors.iter().position(|tensor| tensor.name.ends_with("wpe.weight")).unwrap();
        tensors[at].shape.reverse();
    });
    refused(ErrorKind::Incompatible, &["first_moment/transformer.wpe.weight", "[32, 192]"]);
}

#[test]
fn a_base_that_cannot_be_trained_is_refused() {
    let backend = CandleTrainBackend::new(CandleOptions::default().with_threads(1)).unwrap();
    assert!(backend.capabilities().supports(&Method::Full {}));
    let mut bad = job(&fixture("gpt2"));
    bad.config.optimizer.beta1 = 1.0;
    let error = backend.open(&bad).unwrap_err();
    assert_names(&error, ErrorKind::InvalidConfig, &["optimizer.beta1"]);
    let error = backend.open(&job(Path::new("no-such-model"))).unwrap_err();
    assert_names(&error, ErrorKind::NotFound, &["no-such-model"]);
}
