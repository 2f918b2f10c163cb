//! The two frameworks: what one writes the other reads, and both compute the same.
#![cfg(feature = "libtorch")]

mod common;

use common::{open, options};
use detoxlm_candle::{CandleLm, CandleOptions, CandleTrainBackend};
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::training::{TrainBackend, TrainSession, TrainingConfig};
use detoxlm_tch::TchTrainBackend;
use detoxlm_test_models::{
    MODELS, assert_close, batch, exported, fixture, fixtures, greedy, logits, methods, state, train,
};

fn backends() -> [Box<dyn TrainBackend>; 2] {
    let candle = CandleOptions::default().with_threads(2);
    [
        Box::new(CandleTrainBackend::new(candle).unwrap()),
        Box::new(TchTrainBackend::new(options()).unwrap()),
    ]
}

fn open_candle(directory: &std::path::Path) -> CandleLm {
    CandleLm::open(directory, CandleOptions::default().with_threads(2)).unwrap()
}

#[test]
fn greedy_text_is_the_same() {
    let embedded = fixtures().join("../../backends/candle/embedded");
    let (candle, tch) = (open_candle(&embedded), open(&embedded));
    for prompt in ["The old man", "She said that", "Why would anybody", "In the morning"] {
        let mut tokens = vec![candle.tokenizer().bos()];
        tokens.extend(candle.tokenizer().encode(prompt).unwrap());
        let expected = greedy(&candle, &tokens, 100, None);
        assert_eq!(greedy(&tch, &tokens, 100, None), expected, "{prompt}");
    }
    for name in MODELS {
        let (candle, tch) = (open_candle(&fixture(name)), open(&fixture(name)));
        assert_eq!(
            greedy(&tch, &[5, 9, 11], 50, None),
            greedy(&candle, &[5, 9, 11], 50, None),
            "{name}"
        );
    }
}

/// Of every parameter: after one step, the first moment is the clipped gradient.
#[test]
fn gradients_are_the_same() {
    for name in MODELS {
        for method in methods() {
            let [candle, tch] = backends().map(|backend| {
                let config = TrainingConfig::default();
                let mut session = train(backend.as_ref(), &fixture(name), &method, config);
                session.accumulate(&batch(0..4), 1.0).unwrap();
                session.step(1e-3).unwrap();
                state(session.as_ref())
            });
            for ((key, candle), (other, tch)) in candle.iter().zip(&tch) {
                assert_eq!(key, other, "{name}: {method:?}");
                if key.starts_with("first_moment") {
                    let largest = candle.iter().fold(0_f32, |most, value| most.max(value.abs()));
                    // A share of the tensor's largest, and of what all gradients together are: keys'
                    // biases, for one, have none but rounding.
                    let tolerance = 1e-3 * largest + 1e-7;
                    assert_close(tch, candle, tolerance, &format!("{name}: {method:?}: {key}"));
                }
            }
        }
    }
}

fn losses(session: &mut dyn TrainSession, steps: u32) -> Vec<f32> {
    let step = |index: u32| {
        let first = index % 4;
        let loss = session.accumulate(&batch(first..first + 2), 1.0).unwrap().mean;
        session.step(1e-3).unwrap();
        loss as f32
    };
    (0..steps).map(step).collect()
}

#[test]
fn the_same_job_has_the_same_losses() {
    for name in MODELS {
        for method in methods() {
            let [candle, tch] = backends().map(|backend| {
                let config = TrainingConfig::default();
                losses(train(backend.as_ref(), &fixture(name), &method, config).as_mut(), 50)
            });
            // Of the same batch.
            assert!(candle[48] < candle[0], "{name}: {method:?}: {candle:?}");
            assert_close(&tch, &candle, 1e-3, &format!("{name}: {method:?}"));
        }
    }
}

#[test]
fn one_goes_on_from_the_checkpoint_of_the_other() {
    for method in methods() {
        let [candle, tch] = backends();
        for (first, second) in [(&candle, &tch), (&tch, &candle)] {
            let open = |backend: &dyn TrainBackend| {
                train(backend, &fixture("gpt2"), &method, TrainingConfig::default())
            };
            let mut whole = open(first.as_ref());
            losses(whole.as_mut(), 5);
            let directory = tempfile::tempdir().unwrap();
            whole.save(directory.path()).unwrap();
            let expected = losses(whole.as_mut(), 5);
            let mut other = open(second.as_ref());
            other.restore(directory.path()).unwrap();
            let found = losses(other.as_mut(), 5);
            assert_close(&found, &expected, 1e-3, &format!("{method:?}"));
        }
    }
}

#[test]
fn one_reads_what_the_other_trained() {
    let tokens: Vec<u32> = (3..30).collect();
    for name in ["gpt2", "llama3"] {
        for method in methods() {
            for backend in backends() {
                let config = TrainingConfig::default();
                let mut session = train(backend.as_ref(), &fixture(name), &method, config);
                losses(session.as_mut(), 3);
                let written = exported(session.as_ref());
                let (candle, tch) = match method.makes_adapter() {
                    true => (
                        open_candle(&fixture(name)).with_adapter(written.path()).unwrap(),
                        open(&fixture(name)).with_adapter(written.path()).unwrap(),
                    ),
                    false => (open_candle(written.path()), open(written.path())),
                };
                let pairs = logits(&tch, &tokens).into_iter().zip(logits(&candle, &tokens));
                for (tch, candle) in pairs {
                    assert_close(&tch, &candle, 1e-4, &format!("{name}: {method:?}"));
                }
            }
        }
    }
}
