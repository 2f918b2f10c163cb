//! Gradients of every method, for every family.

use std::path::Path;

use detoxlm_core::training::{
    Bottleneck, BottleneckActivation, Lora, Method, Placement, Prefix, TokenBatch, TrainSession,
    TrainingConfig, TrainingJob,
};

use super::session::Session;
use super::values::{modify, read};
use crate::CandleOptions;

const MODELS: [&str; 4] = ["gpt2", "llama3", "llama-linear-f16", "qwen2-bf16-sharded"];

/// Every method, and every way in which one computes.
fn methods() -> Vec<Method> {
    // Smooth ones: next to the corner of a ReLU, differences are no slopes.
    let bottleneck = |placement, activation| {
        Method::Bottleneck(Bottleneck { placement, activation, ..Bottleneck::default() })
    };
    vec![
        Method::Full {},
        bottleneck(Placement::Houlsby, BottleneckActivation::Swish),
        bottleneck(Placement::Pfeiffer, BottleneckActivation::GeluNew),
        Method::Lora(Lora { rank: 3, rank_stabilized: true, ..Lora::default() }),
        Method::Prefix(Prefix { length: 5, projection_width: None }),
        Method::Prefix(Prefix { length: 3, projection_width: Some(7) }),
    ]
}

/// A session whose trained parameters all matter: what begins at 0 has been moved from it.
fn open(name: &str, method: &Method, config: TrainingConfig) -> Session {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models");
    let texts = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(texts.path(), "{\"text\": \"The river runs past the old mill.\"}\n").unwrap();
    let job = TrainingJob {
        base: Path::new(models).join(name),
        corpus: vec![texts.path().to_path_buf()],
        validation: Vec::new(),
        method: method.clone(),
        config,
        seed: 4,
        work: "unused".into(),
        output: "unused".into(),
    };
    let pool = CandleOptions::default().with_threads(2).pool().unwrap();
    let session = Session::open(&job, pool).unwrap();
    for variable in session.variables.iter().filter(|_| method.makes_adapter()) {
        modify(variable, |values| {
            for (index, value) in values.iter_mut().enumerate() {
                *value += 0.1 * ((index * 37 % 11) as f32 - 5.0) / 5.0;
            }
        })
        .unwrap();
    }
    session
}

/// Sequences `first..end` of a batch of 4 sequences of 24 tokens.
fn batch(sequences: std::ops::Range<u32>) -> TokenBatch {
    let length = 24;
    let ids = |shift: u32| -> Vec<u32> {
        let tokens = sequences.start * length..sequences.end * length;
        tokens.map(|index| 3 + (index + shift) * 71 % 290).collect()
    };
    TokenBatch {
        inputs: ids(0),
        targets: ids(1),
        sequences: sequences.len(),
        length: length as usize,
    }
}

fn gradients(session: &Session) -> Vec<Vec<f32>> {
    (0..session.variables.len())
        .map(|index| read(session.gradients.get(index).unwrap(), <[f32]>::to_vec).unwrap())
        .collect()
}

/// Calls `with` for every family and method, and with what they are called.
fn everywhere(with: impl Fn(&str, &str, &Method)) {
    for name in MODELS {
        for method in methods() {
            with(&format!("{name}, {method:?}"), name, &method);
        }
    }
}

#[test]
fn every_trained_parameter_gets_a_gradient() {
    everywhere(|case, name, method| {
        let mut session = open(name, method, TrainingConfig::default());
        session.accumulate(&batch(0..4), 1.0).unwrap();
        for (parameter, gradient) in session.names.iter().zip(gradients(&session)) {
            assert!(gradient.iter().all(|value| value.is_finite()), "{case}: {parameter}");
            let largest = gradient.iter().fold(0_f32, |most, value| most.max(value.abs()));
            assert!(largest > 1e-5, "{case}: {parameter}: {largest}");
        }
    });
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    everywhere(|case, name, method| {
        let mut session = open(name, method, TrainingConfig::default());
        let batch = batch(0..2);
        session.accumulate(&batch, 1.0).unwrap();
        for (index, gradient) in gradients(&session).into_iter().enumerate() {
            // Along the gradient itself, whose slope is its norm.
            let norm = gradient.iter().map(|value| value * value).sum::<f32>().sqrt();
            let moved = |step: f32| {
                modify(&session.variables[index], |weights| {
                    for (weight, slope) in weights.iter_mut().zip(&gradient) {
                        *weight += step * slope / norm;
                    }
                })
                .unwrap();
                session.evaluate(&batch).unwrap().mean
            };
            let step = 2e-3;
            let rise = moved(step) - moved(-2.0 * step);
            moved(step);
            let slope = rise / f64::from(2.0 * step);
            // A loss in `f32` is known to about 1e-6, its difference over 4e-3 to 3e-4.
            let error = (slope - f64::from(norm)).abs();
            let bound = 0.02 * f64::from(norm) + 3e-4;
            assert!(error < bound, "{case}: {}: {slope} {norm}", session.names[index]);
        }
    });
}

#[test]
fn halves_of_a_batch_add_up_to_the_batch() {
    everywhere(|case, name, method| {
        let open = || open(name, method, TrainingConfig::default());
        let (mut whole, mut halves) = (open(), open());
        let all = whole.accumulate(&batch(0..4), 1.0).unwrap();
        let first = halves.accumulate(&batch(0..2), 0.5).unwrap();
        let second = halves.accumulate(&batch(2..4), 0.5).unwrap();
        assert_eq!((all.tokens, first.tokens), (96, 48));
        assert!((all.mean - 0.5 * (first.mean + second.mean)).abs() < 1e-6);
        for (whole, halves) in gradients(&whole).iter().zip(gradients(&halves)) {
            for (whole, halves) in whole.iter().zip(halves) {
                assert!((whole - halves).abs() < 1e-5, "{case}: {whole} {halves}");
            }
        }
    });
}

#[test]
fn layer_by_layer_the_gradients_are_the_same() {
    everywhere(|case, name, method| {
        let config = |gradient_checkpointing| TrainingConfig {
            gradient_checkpointing,
            ..TrainingConfig::default()
        };
        let (mut whole, mut layers) =
            (open(name, method, config(false)), open(name, method, config(true)));
        let loss = whole.accumulate(&batch(0..4), 0.5).unwrap().mean;
        assert_eq!(layers.accumulate(&batch(0..4), 0.5).unwrap().mean, loss, "{case}");
        for (whole, layers) in gradients(&whole).iter().zip(gradients(&layers)) {
            let largest = whole.iter().fold(0_f32, |most, value| most.max(value.abs()));
            for (whole, layers) in whole.iter().zip(layers) {
                assert!((whole - layers).abs() <= 1e-5 * largest, "{case}: {whole} {layers}");
            }
        }
    });
}

#[test]
fn what_is_dropped_changes_from_pass_to_pass_and_not_from_run_to_run() {
    let lora = Lora { dropout: 0.5, ..Lora::default() };
    let mut session = open("gpt2", &Method::Lora(lora.clone()), TrainingConfig::default());
    let batch = batch(0..2);
    let first = session.accumulate(&batch, 1.0).unwrap().mean;
    let second = session.accumulate(&batch, 1.0).unwrap().mean;
    assert_ne!(first, second);
    let undropped = session.evaluate(&batch).unwrap().mean;
    assert_ne!(first, undropped);
    let mut again = open("gpt2", &Method::Lora(lora), TrainingConfig::default());
    assert_eq!(again.accumulate(&batch, 1.0).unwrap().mean, first);
    assert_eq!(again.accumulate(&batch, 1.0).unwrap().mean, second);
}
