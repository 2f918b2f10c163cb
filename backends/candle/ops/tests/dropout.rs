//! Which elements dropout keeps, and what becomes of them.

// Clippy permits this in test functions, but does not know that the helpers only serve them.

use candle_core::{DType, Device, Tensor};
use candle_fused_ops::dropout;

const COUNT: usize = 200_000;

fn ones() -> Tensor {
    Tensor::ones((400, 500), DType::F32, &Device::Cpu).unwrap()
}

/// What becomes of ones.
fn factors(probability: f64, seed: u64) -> Vec<f32> {
    dropout(&ones(), probability, seed).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The share of places where both kept or both dropped their element.
fn agreement(a: &[f32], b: &[f32]) -> f64 {
    let same = a.iter().zip(b).filter(|(a, b)| (**a > 0.0) == (**b > 0.0)).count();
    same as f64 / a.len() as f64
}

#[test]
fn the_share_asked_for_is_kept_and_scaled() {
    for (probability, factor) in [(0.1, 1.0 / 0.9), (0.5, 2.0), (0.75, 4.0)] {
        for seed in 0..5 {
            let factors = factors(probability, seed);
            let kept = factors.iter().filter(|value| **value > 0.0).count() as f64 / COUNT as f64;
            // Five standard deviations.
            let margin = 5.0 * (probability * (1.0 - probability) / COUNT as f64).sqrt();
            assert!((kept - (1.0 - probability)).abs() < margin, "{probability}, {seed}: {kept}");
            assert!(factors.iter().all(|value| *value == 0.0 || *value == factor as f32));
        }
    }
}

#[test]
fn neither_neighbouring_seeds_nor_neighbouring_elements_are_alike() {
    // Also seeds that differ by the step from one element to the next.
    let first = factors(0.5, 1);
    for seed in [0, 2, 3, 1 << 32, 1u64.wrapping_add(0x9E37_79B9_7F4A_7C15)] {
        let other = factors(0.5, seed);
        for shift in 0..4 {
            let agreement = agreement(&first[shift..], &other[..COUNT - shift]);
            assert!((agreement - 0.5).abs() < 0.006, "{seed}, {shift}: {agreement}");
        }
    }
    for distance in [1, 2, 16, 500] {
        let agreement = agreement(&first[distance..], &first[..COUNT - distance]);
        assert!((agreement - 0.5).abs() < 0.006, "{distance}: {agreement}");
    }
    assert_eq!(first, factors(0.5, 1));
}

#[test]
fn less_probability_drops_fewer_of_the_same_elements() {
    let (few, many) = (factors(0.1, 9), factors(0.4, 9));
    assert!(few.iter().zip(&many).all(|(few, many)| *few > 0.0 || *many == 0.0));
}

#[test]
fn no_probability_changes_nothing_and_a_wrong_one_is_named() {
    let x = ones();
    assert_eq!(dropout(&x, 0.0, 3).unwrap().id(), x.id());
    for probability in [1.0, -0.1, 1.5, f64::NAN] {
        let message = dropout(&x, probability, 3).unwrap_err().to_string();
        let expected = format!("at least 0 and less than 1, but is {probability}");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn what_is_dropped_is_zero_whatever_it_was() {
    let x = (ones() * f64::INFINITY).unwrap();
    let values: Vec<f32> = dropout(&x, 0.5, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert!(values.iter().all(|value| *value == 0.0 || *value == f32::INFINITY));
    assert!(values.contains(&0.0));
}
