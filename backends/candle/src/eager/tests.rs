//! candle's own operations against the kernels of the processor: on the processor, or on the device in
//! `DETOXLM_CANDLE_DEVICE`.

use std::path::Path;

use candle_core::{Device as CandleDevice, Tensor as Candle};
use candle_fused_ops::{GradientCheck, check_gradients};
use detoxlm_core::causal_lm::{CausalLm, Logits, RowTokens, TokenSequence};
use detoxlm_core::training::{
    LocalTrainer, Lora, Method, TrainBackend, TrainSession, TrainingConfig,
};
use detoxlm_core::{Compute, Device, Precision};
use detoxlm_test_models::{MODELS, adapters, assert_close, batch, fixture, methods, step, train};
use detoxlm_transformer::architecture::WeightLayout;
use detoxlm_transformer::eager::{EagerLm, EagerTrainBackend, Tensor};

use super::place::CandlePlace;
use super::tensor::CandleTensor;
use crate::{CandleLm, CandleOptions, CandleTrainBackend};

fn place(precision: Precision) -> CandlePlace {
    let compute = Compute::default().with_precision(precision);
    let options = CandleOptions::default().with_threads(2);
    match std::env::var("DETOXLM_CANDLE_DEVICE") {
        Err(_) => CandlePlace::processor(options.with_compute(compute)).unwrap(),
        Ok(device) => {
            let compute = compute.with_device(device.parse().unwrap());
            CandlePlace::find(options.with_compute(compute)).unwrap().unwrap()
        }
    }
}

fn processor() -> CandleOptions {
    CandleOptions::default().with_threads(2).on_processor()
}

fn eager(directory: &Path, precision: Precision) -> EagerLm<CandlePlace> {
    EagerLm::open(directory, place(precision), "0").unwrap()
}

/// The logits after a prompt, after each token that follows, and of a fork.
fn logits(model: &dyn CausalLm) -> Vec<f32> {
    let mut session = model.decode_session(3, 24).unwrap();
    let row = session.admit().unwrap();
    let mut all = step(session.as_mut(), row, &[5, 9, 11, 7, 30]);
    let fork = session.fork(row).unwrap();
    for token in 12..18 {
        all.extend(step(session.as_mut(), row, &[token]));
    }
    all.extend(step(session.as_mut(), fork, &[40, 41]));
    // Rows of several lengths in one step.
    let other = session.admit().unwrap();
    let entries = [(other, &[8, 9, 10][..]), (fork, &[6]), (row, &[19])];
    let entries = entries.map(|(row, tokens)| RowTokens { row, tokens });
    let mut logits = Logits::default();
    session.step(&entries, &mut logits).unwrap();
    for index in 0..entries.len() {
        all.extend(logits.row(index));
    }
    all
}

/// Of sequences that begin alike, and of others.
fn log_probs(model: &dyn CausalLm) -> Vec<f32> {
    let shared: Vec<u32> = (3..20).collect();
    let long = [&shared[..], &[7, 7, 8]].concat();
    let other = [&shared[..], &[60, 61]].concat();
    let lists = [&long[..], &other, &shared, &[9, 8, 7], &[4]];
    let sequences = lists.map(TokenSequence::whole);
    let rated = model.token_likelihoods(&sequences).unwrap();
    let numbers = |token: &detoxlm_core::causal_lm::TokenLikelihood| {
        [token.log_prob, f32::from(u8::from(token.is_greedy))]
    };
    rated.iter().flatten().flat_map(numbers).collect()
}

#[test]
fn models_compute_what_the_processor_computes() {
    for name in MODELS {
        let expected = CandleLm::open(fixture(name), processor()).unwrap();
        let found = eager(&fixture(name), Precision::F32);
        assert_close(&logits(&found), &logits(&expected), 1e-4, name);
        assert_close(&log_probs(&found), &log_probs(&expected), 1e-4, name);
    }
}

#[test]
fn so_do_models_with_adapters() {
    for name in ["lora-llama3", "prefix-llama3", "bottleneck-llama3-single", "prefix-gpt2"] {
        let base = fixture(if name.ends_with("gpt2") { "gpt2" } else { "llama3" });
        let adapter = adapters().join(name);
        let expected = CandleLm::open(&base, processor()).unwrap();
        let expected = expected.with_adapter(&adapter).unwrap();
        let found = eager(&base, Precision::F32).with_adapter(&adapter).unwrap();
        assert_close(&logits(&found), &logits(&expected), 1e-4, name);
        assert_close(&log_probs(&found), &log_probs(&expected), 1e-4, name);
    }
}

#[test]
fn half_precision_is_near() {
    for name in MODELS {
        let [exact, half] = [Precision::F32, Precision::Bf16].map(|precision| {
            let model = eager(&fixture(name), precision);
            (logits(&model), log_probs(&model))
        });
        let size = exact.0.iter().fold(0_f32, |most, value| most.max(value.abs()));
        assert_close(&half.0, &exact.0, 0.05 * size, name);
        assert_ne!(half.0, exact.0);
    }
}

#[test]
fn models_keep_their_contract() {
    for name in MODELS {
        let checked = detoxlm_conformance::causal_lm(&eager(&fixture(name), Precision::F32));
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

fn losses(session: &mut dyn TrainSession, steps: u32) -> Vec<f32> {
    let one = |index: u32| {
        let loss = session.accumulate(&batch(index % 4..index % 4 + 2), 1.0).unwrap().mean;
        session.step(1e-3).unwrap();
        loss as f32
    };
    (0..steps).map(one).collect()
}

fn backends() -> [Box<dyn TrainBackend>; 2] {
    [
        Box::new(CandleTrainBackend::new(processor()).unwrap()),
        Box::new(EagerTrainBackend::new(place(Precision::F32), "0")),
    ]
}

#[test]
fn the_same_job_has_the_same_losses() {
    for name in MODELS {
        for method in methods() {
            let [expected, found] = backends().map(|backend| {
                let config = TrainingConfig::default();
                losses(train(backend.as_ref(), &fixture(name), &method, config).as_mut(), 50)
            });
            assert!(found[48] < found[0], "{name}: {method:?}: {found:?}");
            assert_close(&found, &expected, 1e-3, &format!("{name}: {method:?}"));
        }
    }
}

#[test]
fn layer_by_layer_is_the_same_training() {
    let backend = EagerTrainBackend::new(place(Precision::F32), "0");
    for method in methods() {
        let [whole, parts] = [false, true].map(|gradient_checkpointing| {
            let config = TrainingConfig { gradient_checkpointing, ..TrainingConfig::default() };
            let mut session = train(&backend, &fixture("gpt2"), &method, config);
            session.accumulate(&batch(0..2), 0.5).unwrap();
            session.accumulate(&batch(2..4), 0.5).unwrap();
            let norm = session.step(1e-2).unwrap();
            [norm as f32, session.evaluate(&batch(0..2)).unwrap().mean as f32]
        });
        assert_close(&parts, &whole, 1e-5 * whole[0].max(1.0), &format!("{method:?}"));
    }
}

#[test]
fn it_learns_in_half_precision_too() {
    let backend = EagerTrainBackend::new(place(Precision::Bf16), "0");
    for name in ["gpt2", "llama3"] {
        for method in methods() {
            let mut session = train(&backend, &fixture(name), &method, TrainingConfig::default());
            let losses = losses(session.as_mut(), 50);
            assert!(losses[48] < losses[0], "{name}: {method:?}: {losses:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trainer_keeps_its_contract_with_every_method() {
    let backend = EagerTrainBackend::new(place(Precision::F32), "0");
    let trainer = LocalTrainer::new(backend).unwrap();
    for mut method in methods() {
        if let Method::Lora(Lora { target_modules, .. }) = &mut method {
            target_modules.retain(|name| name.starts_with("c_"));
        }
        let directory = tempfile::tempdir().unwrap();
        let base = fixture("gpt2");
        let checked =
            detoxlm_conformance::trainer(&trainer, &method, &base, directory.path()).await;
        assert!(checked.is_ok(), "{method:?}: {checked:?}");
    }
}

fn random(shape: &[usize]) -> Candle {
    Candle::randn(0_f32, 1.0, shape, &CandleDevice::Cpu).unwrap()
}

fn check(
    function: impl Fn(&[CandleTensor]) -> candle_core::Result<CandleTensor>,
    shapes: &[&[usize]],
) {
    let inputs: Vec<_> = shapes.iter().map(|shape| random(shape)).collect();
    let bare = |inputs: &[Candle]| {
        let inputs: Vec<_> = inputs.iter().cloned().map(CandleTensor).collect();
        function(&inputs).map(|output| output.0)
    };
    check_gradients(bare, &inputs, GradientCheck::default()).unwrap();
}

#[test]
fn gradients_in_closed_form_are_those_of_differences() {
    check(|x| x[0].layer_norm(&x[1], &x[2], 1e-5), &[&[2, 3, 8], &[8], &[8]]);
    check(|x| x[0].rms_norm(&x[1], 1e-5), &[&[2, 3, 8], &[8]]);
    check(|x| x[0].masked_softmax(None), &[&[2, 3, 5]]);
    check(|x| x[0].masked_softmax(Some(&x[0].causal_mask(3, 5)?)), &[&[2, 3, 5]]);
    check(|x| x[0].linear(&x[1], Some(&x[2]), WeightLayout::InOut), &[&[2, 3, 4], &[4, 5], &[5]]);
    check(|x| x[0].linear(&x[1], None, WeightLayout::OutIn), &[&[2, 3, 4], &[5, 4]]);
    let targets = CandleTensor(Candle::new(&[1_u32, 0, 4], &CandleDevice::Cpu).unwrap());
    check(|x| x[0].cross_entropy(&targets), &[&[3, 5]]);
}

#[test]
fn a_device_that_this_program_has_not_is_refused_by_name() {
    for device in [Device::Cuda(99), Device::Metal(99)] {
        let options = CandleOptions::default().with_compute(Compute::default().with_device(device));
        let error = CandleLm::open(fixture("gpt2"), options).unwrap_err();
        assert_eq!(error.key(), Some("device"));
        assert!(error.remedy().unwrap().contains("choose cpu"), "{error}");
    }
    let half = Compute::default().with_device(Device::Cpu).with_precision(Precision::Bf16);
    let error = CandleTrainBackend::new(CandleOptions::default().with_compute(half)).unwrap_err();
    assert_eq!(error.key(), Some("precision"));
}
