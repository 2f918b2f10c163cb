//! The network and its training, on small numbers.

use candle_core::{Device, Tensor};
use detoxlm_core::distillation::{Convolution, DistillationConfig};

use super::examples::Batch;
use super::initial::initial_values;
use super::loss::Targets;
use super::network::{Sizes, Texts, judge};
use super::rounded::Rounded;
use super::trained::Classifier;
use super::trainee::Trainee;

fn config() -> DistillationConfig {
    DistillationConfig {
        width: 6,
        hidden: 5,
        convolutions: vec![
            Convolution { width: 1, channels: 4 },
            Convolution { width: 2, channels: 3 },
            Convolution { width: 5, channels: 2 },
        ],
        ..DistillationConfig::default()
    }
}

fn sizes() -> Sizes {
    Sizes::of(&config(), 11, 2)
}

fn values(seed: u64) -> Vec<Vec<f32>> {
    let sizes = sizes();
    let vectors = detoxlm_core::training::normal_values(seed, 99, 0.5);
    initial_values(&sizes, vectors.take(11 * 6).collect(), seed)
}

fn tensors(values: Vec<Vec<f32>>) -> Vec<Tensor> {
    let specs = sizes().specs();
    let tensor = |(spec, values): (&super::network::Spec, Vec<f32>)| {
        Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu).unwrap()
    };
    specs.iter().zip(values).map(tensor).collect()
}

/// Texts of all tokens, of the scale and of two other sources.
fn batch() -> Batch {
    let mut targets = Targets::default();
    for values in [
        [Some(0.9), Some(0.2)],
        [Some(0.1), None],
        [None, Some(1.0)],
        [Some(0.4), Some(0.6)],
        [Some(1.0), Some(0.0)],
    ] {
        targets.push(&values, &[3.0, 1.0], 1.0);
    }
    let texts = Texts {
        tokens: vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 3, 5, 7],
        lengths: vec![4, 1, 6, 2, 2],
    };
    Batch { texts, sources: vec![0, 0, 1, 2, 1], targets }
}

#[test]
fn every_parameter_gets_a_finite_gradient_that_is_not_0() {
    let trainee = Trainee::new(sizes(), values(3), 2, &config(), 3).unwrap();
    let (loss, gradients) = trainee.gradients(&batch()).unwrap();
    assert!(loss.is_finite());
    assert_eq!(trainee.variables.len(), 10);
    for parameter in 0..trainee.variables.len() {
        let gradient = gradients.get(parameter).unwrap().flatten_all().unwrap();
        let gradient = gradient.to_vec1::<f32>().unwrap();
        assert!(gradient.iter().all(|value| value.is_finite()), "parameter {parameter}");
        assert!(gradient.iter().any(|&value| value != 0.0), "parameter {parameter}");
    }
}

#[test]
fn a_text_is_judged_alike_alone_and_between_others() {
    let parameters = tensors(values(5));
    let texts = batch().texts;
    let together = judge(&sizes(), &parameters, &texts, None).unwrap().logits;
    let together = together.to_vec2::<f32>().unwrap();
    let mut start = 0;
    for (length, expected) in texts.lengths.into_iter().zip(together) {
        let tokens = texts.tokens[start..start + length].to_vec();
        start += length;
        let alone = Texts { tokens, lengths: vec![length] };
        let alone = judge(&sizes(), &parameters, &alone, None).unwrap().logits;
        for (a, b) in alone.to_vec2::<f32>().unwrap()[0].iter().zip(&expected) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}

#[test]
fn what_is_stored_is_near_what_was_trained_and_rounding_again_changes_nothing() {
    let trained = values(7);
    let rounded = Rounded::new(sizes(), &trained);
    let weights = rounded.weights();
    for (parameter, (a, b)) in trained.iter().zip(&weights).enumerate() {
        let largest = a.iter().fold(0_f32, |largest, x| largest.max(x.abs()));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= largest * 0.005, "parameter {parameter}: {a} {b}");
        }
    }
    let again = Rounded::new(sizes(), &weights);
    assert_eq!(again.bytes, rounded.bytes);
    assert_eq!(again.halves, rounded.halves);
}

#[test]
fn steps_lower_the_loss_and_a_checkpoint_brings_every_bit_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut trainee = Trainee::new(sizes(), values(3), 2, &config(), 3).unwrap();
    trainee.step(&batch(), 0.01).unwrap();
    let first = trainee.loss;
    for _ in 0..20 {
        trainee.step(&batch(), 0.01).unwrap();
    }
    trainee.save(directory.path()).unwrap();
    let mut restored = Trainee::new(sizes(), values(4), 2, &config(), 3).unwrap();
    restored.restore(directory.path()).unwrap();
    assert_eq!((restored.steps(), restored.loss), (21, trainee.loss));
    for _ in 0..40 {
        trainee.step(&batch(), 0.01).unwrap();
        restored.step(&batch(), 0.01).unwrap();
    }
    assert!(trainee.loss < first, "{first} and then {}", trainee.loss);
    assert_eq!(trainee.weights(), restored.weights());
}

#[test]
fn with_more_decay_a_source_sees_less_of_its_own() {
    let own = |own_decay: f64| {
        let config = DistillationConfig { own_decay, ..config() };
        let mut trainee = Trainee::new(sizes(), values(3), 2, &config, 3).unwrap();
        (0..40).for_each(|_| trainee.step(&batch(), 0.01).unwrap());
        let own = trainee.variables.last().unwrap().flatten_all().unwrap();
        own.to_vec1::<f32>().unwrap().iter().map(|x| x.abs()).sum::<f32>()
    };
    let (little, much) = (own(0.1), own(30.0));
    assert!(much > 0.0 && much < little / 2.0, "{little} {much}");
}

#[test]
fn a_rate_that_explodes_is_told_with_the_step() {
    let mut trainee = Trainee::new(sizes(), values(3), 0, &config(), 3).unwrap();
    let mut batch = batch();
    batch.sources.fill(0);
    let error = (0..50).find_map(|_| trainee.step(&batch, 1e30).err()).unwrap();
    assert_eq!(error.kind(), detoxlm_core::ErrorKind::Diverged);
    assert_eq!(error.key(), Some("learning_rate"));
}

#[test]
fn long_texts_are_as_toxic_as_their_worst_window() {
    let rounded = Rounded::new(sizes(), &values(9));
    let attributes = detoxlm_core::Attribute::STANDARD[..2].to_vec();
    let classifier = Classifier::new(sizes(), vec![rounded], attributes, 8).unwrap();
    let long: Vec<u32> = (0..20).map(|at| at * 7 % 11).collect();
    let windows: Vec<Vec<u32>> =
        [0..8, 7..15, 14..20].map(|range: std::ops::Range<usize>| long[range].to_vec()).into();
    let whole = classifier.score(&[long, Vec::new()]).unwrap();
    assert_eq!(whole[1], None);
    let parts = classifier.score(&windows).unwrap();
    for (attribute, value) in whole[0].as_ref().unwrap().iter() {
        let worst = parts.iter().flatten().filter_map(|scores| scores.get(attribute));
        assert!((worst.fold(0.0, f32::max) - value).abs() < 1e-6);
    }
}

#[test]
fn scores_of_several_networks_are_the_mean_of_each_window() {
    let attributes = detoxlm_core::Attribute::STANDARD[..2].to_vec();
    let classifier = |seeds: &[u64]| {
        let networks = seeds.iter().map(|&seed| Rounded::new(sizes(), &values(seed))).collect();
        Classifier::new(sizes(), networks, attributes.clone(), 8).unwrap()
    };
    let texts = [vec![0, 1, 2, 3], vec![10, 4, 4], vec![7]];
    let score = |seeds: &[u64]| classifier(seeds).score(&texts).unwrap();
    let (first, second, both) = (score(&[9]), score(&[10]), score(&[9, 10]));
    assert_ne!(first, second);
    for ((first, second), both) in first.iter().zip(&second).zip(&both) {
        for (attribute, value) in both.as_ref().unwrap().iter() {
            let of = |scores: &Option<detoxlm_core::Scores>| {
                scores.as_ref().unwrap().get(attribute).unwrap()
            };
            assert!(((of(first) + of(second)) / 2.0 - value).abs() < 1e-6);
        }
    }
    // The highest window of the mean, which need not be any network's highest.
    let long: Vec<u32> = (0..20).map(|at| at * 7 % 11).collect();
    let windows: Vec<Vec<u32>> =
        [0..8, 7..15, 14..20].map(|range: std::ops::Range<usize>| long[range].to_vec()).into();
    let whole = classifier(&[9, 10]).score(&[long]).unwrap();
    let parts = classifier(&[9, 10]).score(&windows).unwrap();
    for (attribute, value) in whole[0].as_ref().unwrap().iter() {
        let worst = parts.iter().flatten().filter_map(|scores| scores.get(attribute));
        assert!((worst.fold(0.0, f32::max) - value).abs() < 1e-6);
    }
}
