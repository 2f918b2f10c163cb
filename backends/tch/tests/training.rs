//! The contracts of the training session.
#![cfg(feature = "libtorch")]

mod common;

use std::fs;

use common::{half, open, options};
use detoxlm_core::ErrorKind;
use detoxlm_core::training::{
    Lora, Method, TokenBatch, TrainBackend, TrainSession, TrainingConfig,
};
use detoxlm_tch::TchTrainBackend;
use detoxlm_test_models::{MODELS, batch, exported, fixture, log_probs, methods, state, train};

fn session(name: &str, method: &Method) -> Box<dyn TrainSession> {
    session_with(name, method, TrainingConfig::default())
}

fn session_with(name: &str, method: &Method, config: TrainingConfig) -> Box<dyn TrainSession> {
    train(&TchTrainBackend::new(options()).unwrap(), &fixture(name), method, config)
}

fn steps(session: &mut dyn TrainSession, count: usize) {
    for _ in 0..count {
        session.accumulate(&batch(0..4), 1.0).unwrap();
        assert!(session.step(1e-2).unwrap().is_finite());
    }
}

/// The largest difference of two states, as a share of the largest number of each tensor.
fn apart(one: &[(String, Vec<f32>)], other: &[(String, Vec<f32>)], kind: &str) -> f32 {
    let mut worst = 0_f32;
    for ((name, one), (other_name, other)) in one.iter().zip(other) {
        assert_eq!(name, other_name);
        if name.starts_with(kind) {
            let largest = one.iter().fold(1e-6_f32, |most, value| most.max(value.abs()));
            let pairs = one.iter().zip(other);
            worst = pairs.map(|(a, b)| (a - b).abs() / largest).fold(worst, f32::max);
        }
    }
    worst
}

#[test]
fn ten_steps_on_a_batch_cut_its_loss() {
    for name in MODELS {
        let mut session = session(name, &Method::Full {});
        let before = session.evaluate(&batch(0..4)).unwrap();
        assert_eq!(before.tokens, 128);
        steps(session.as_mut(), 10);
        let after = session.evaluate(&batch(0..4)).unwrap();
        assert!(after.mean < 0.6 * before.mean, "{name}: {} to {}", before.mean, after.mean);
    }
}

#[test]
fn a_restored_session_goes_on_with_the_same_bits() {
    for name in MODELS {
        for method in methods() {
            let mut whole = session(name, &method);
            steps(whole.as_mut(), 3);
            let directory = tempfile::tempdir().unwrap();
            whole.save(directory.path()).unwrap();
            steps(whole.as_mut(), 5);

            let mut restored = session(name, &method);
            // What was there, gradients included, is gone.
            restored.accumulate(&batch(0..4), 3.0).unwrap();
            restored.restore(directory.path()).unwrap();
            steps(restored.as_mut(), 5);
            assert!(state(restored.as_ref()) == state(whole.as_ref()), "{name}: {method:?}");
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    let mut session = session("gpt2", &Method::Full {});
    let before = state(session.as_ref());
    session.accumulate(&batch(0..4), f64::MAX).unwrap();
    assert!(!session.step(1e-3).unwrap().is_finite());
    assert!(state(session.as_ref()) == before);
    // The gradients are gone all the same.
    steps(session.as_mut(), 1);
}

#[test]
fn halves_of_a_batch_add_up_to_the_batch() {
    for method in methods().iter().filter(|method| !matches!(method, Method::Lora(_))) {
        let (mut whole, mut halves) = (session("llama3", method), session("llama3", method));
        let all = whole.accumulate(&batch(0..4), 1.0).unwrap();
        let first = halves.accumulate(&batch(0..2), 0.5).unwrap();
        let second = halves.accumulate(&batch(2..4), 0.5).unwrap();
        assert_eq!((all.tokens, first.tokens), (128, 64));
        assert!((all.mean - 0.5 * (first.mean + second.mean)).abs() < 1e-5);
        for session in [&mut whole, &mut halves] {
            session.step(1e-3).unwrap();
        }
        let worst = apart(&state(whole.as_ref()), &state(halves.as_ref()), "first_moment");
        assert!(worst < 1e-4, "{method:?}: {worst}");
    }
}

#[test]
fn layer_by_layer_the_gradients_are_the_same() {
    for name in MODELS {
        for method in methods() {
            let open = |gradient_checkpointing| {
                let config = TrainingConfig { gradient_checkpointing, ..TrainingConfig::default() };
                session_with(name, &method, config)
            };
            let (mut whole, mut layers) = (open(false), open(true));
            let loss = whole.accumulate(&batch(0..4), 0.5).unwrap().mean;
            let again = layers.accumulate(&batch(0..4), 0.5).unwrap().mean;
            assert!((again - loss).abs() < 1e-6, "{name}: {method:?}");
            for session in [&mut whole, &mut layers] {
                session.step(1e-3).unwrap();
            }
            let worst = apart(&state(whole.as_ref()), &state(layers.as_ref()), "first_moment");
            assert!(worst < 1e-4, "{name}: {method:?}: {worst}");
        }
    }
}

#[test]
fn what_is_dropped_changes_from_pass_to_pass_and_not_from_run_to_run() {
    let method = Method::Lora(Lora { dropout: 0.5, ..Lora::default() });
    let mut session_ = session("gpt2", &method);
    // At first LoRA adds nothing, and nothing can be seen of what it drops.
    steps(session_.as_mut(), 2);
    let first = session_.accumulate(&batch(0..2), 1.0).unwrap().mean;
    let second = session_.accumulate(&batch(0..2), 1.0).unwrap().mean;
    assert_ne!(first, second);
    assert_ne!(first, session_.evaluate(&batch(0..2)).unwrap().mean);
    let mut again = session("gpt2", &method);
    steps(again.as_mut(), 2);
    assert_eq!(again.accumulate(&batch(0..2), 1.0).unwrap().mean, first);
    assert_eq!(again.accumulate(&batch(0..2), 1.0).unwrap().mean, second);
}

#[test]
fn what_was_trained_computes_the_same_when_it_is_loaded() {
    for name in ["gpt2", "llama3", "qwen2-bf16-sharded"] {
        let base = open(&fixture(name));
        let batch = batch(0..2);
        for method in methods() {
            let mut session = session(name, &method);
            let before = session.evaluate(&batch).unwrap().mean;
            for _ in 0..20 {
                session.accumulate(&batch, 1.0).unwrap();
                session.step(1e-2).unwrap();
            }
            let trained = session.evaluate(&batch).unwrap().mean;
            assert!(trained < 0.98 * before, "{name}: {method:?}: {before} to {trained}");
            let written = exported(session.as_ref());
            let model = match method.makes_adapter() {
                true => base.with_adapter(written.path()).unwrap(),
                false => open(written.path()),
            };
            let mut loss = 0.0;
            for (inputs, targets) in batch.inputs.chunks(32).zip(batch.targets.chunks(32)) {
                let sequence = [inputs, &targets[31..]].concat();
                let likelihoods = log_probs(&model, &sequence);
                loss -= likelihoods.iter().map(|&value| f64::from(value)).sum::<f64>() / 64.0;
            }
            assert!((loss - trained).abs() < 1e-4, "{name}: {method:?}: {loss} {trained}");
        }
    }
}

/// `bf16` is for multiplying; steps smaller than its digits are not lost, because weights are kept in
/// `f32`.
#[test]
fn with_half_the_digits_training_goes_nearly_the_same_way() {
    for name in ["gpt2", "llama3"] {
        for method in methods() {
            let half = TchTrainBackend::new(half()).unwrap();
            let config = TrainingConfig::default();
            let mut half = train(&half, &fixture(name), &method, config);
            let mut full = session(name, &method);
            let before = state(half.as_ref());
            for _ in 0..10 {
                let [half, full] = [&mut half, &mut full].map(|session| {
                    let loss = session.accumulate(&batch(0..4), 1.0).unwrap().mean;
                    session.step(1e-3).unwrap();
                    loss
                });
                assert!((half - full).abs() < 0.05, "{name}: {method:?}: {half} {full}");
            }
            half.accumulate(&batch(0..4), 1.0).unwrap();
            half.step(1e-7).unwrap();
            let after = state(half.as_ref());
            let moved = apart(&before, &after, "weight");
            assert!(moved > 0.0, "{name}: {method:?}");
            half.accumulate(&batch(0..4), 1.0).unwrap();
            half.step(1e-6).unwrap();
            assert!(apart(&after, &state(half.as_ref()), "weight") > 0.0, "{name}: {method:?}");
        }
    }
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let mut session = session("gpt2", &Method::Full {});
    let mut bad = batch(0..2);
    bad.inputs[7] = 320;
    let error = session.accumulate(&bad, 1.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("token 320 is not in the vocabulary of 320"), "{error}");
    assert_eq!(session.evaluate(&bad).unwrap_err().to_string(), error.to_string());
    let ids = vec![1; 193];
    let long = TokenBatch { inputs: ids.clone(), targets: ids, sequences: 1, length: 193 };
    let error = session.accumulate(&long, 1.0).unwrap_err();
    assert!(error.to_string().contains("longer than the context of 192"), "{error}");
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut session_ = session("gpt2", &Method::Full {});
    let before = state(session_.as_ref());
    let directory = tempfile::tempdir().unwrap();
    let error = session_.restore(directory.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    session("llama3", &Method::Full {}).save(directory.path()).unwrap();
    let error = session_.restore(directory.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let file = directory.path().join("state.safetensors");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 8]).unwrap();
    let error = session_.restore(directory.path()).unwrap_err();
    assert!(error.to_string().contains("not as long as its header says"), "{error}");
    assert!(state(session_.as_ref()) == before);
}

#[test]
fn a_base_that_cannot_be_trained_is_refused() {
    let backend = TchTrainBackend::new(options()).unwrap();
    assert!(backend.capabilities().supports(&Method::Full {}));
    let job = detoxlm_core::training::TrainingJob {
        base: "no-such-model".into(),
        corpus: Vec::new(),
        validation: Vec::new(),
        method: Method::Full {},
        config: TrainingConfig::default(),
        seed: 0,
        work: "unused".into(),
        output: "unused".into(),
    };
    let error = backend.open(&job).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no-such-model"), "{error}");
}
