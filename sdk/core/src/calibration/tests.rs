use super::*;
use crate::layers::CalibrationMap;

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Values spread over (0, 1).
fn values() -> impl Iterator<Item = f64> {
    (1..200).map(|index| f64::from(index) / 200.0)
}

#[test]
fn a_logistic_fit_finds_the_map_that_made_its_targets() {
    for (slope, intercept) in [(1.0, 0.0), (2.5, -1.0), (0.3, 2.0), (6.0, 4.0)] {
        let target = |value: f64| sigmoid(slope * (value / (1.0 - value)).ln() + intercept);
        let pairs: Vec<Pair> = values().map(|value| (value, target(value))).collect();
        let CalibrationMap::Logistic { slope: found, intercept: at } =
            fit_logistic(&pairs).unwrap()
        else {
            panic!("not logistic")
        };
        assert!((found / slope - 1.0).abs() < 1e-2, "{found} {slope}");
        assert!((at - intercept).abs() < 2e-2, "{at} {intercept}");
    }
}

#[test]
fn a_logistic_fit_ends_on_targets_that_are_hard() {
    // Separable: the best slope is infinite. Falling: the best is below 0.
    let separable: Vec<Pair> = values().map(|v| (v, f64::from(u8::from(v > 0.5)))).collect();
    let map = fit_logistic(&separable).unwrap();
    assert!(map.apply(0.3) < 0.05 && map.apply(0.7) > 0.95);
    let falling: Vec<Pair> = values().map(|v| (v, 1.0 - v)).collect();
    let map = fit_logistic(&falling).unwrap();
    assert!((map.apply(0.1) - map.apply(0.9)).abs() < 1e-9);
    assert!((map.apply(0.5) - 0.5).abs() < 1e-9);
    for target in [0.0, 1.0] {
        let map = fit_logistic(&[(0.2, target), (0.9, target)]).unwrap();
        assert!((map.apply(0.5) - target).abs() < 0.05);
    }
}

#[test]
fn an_isotonic_fit_pools_what_falls_and_keeps_what_rises() {
    let pairs = [(0.1, 0.0), (0.2, 0.6), (0.3, 0.2), (0.4, 0.4), (0.5, 0.9), (0.5, 0.7)];
    let map = fit_isotonic(&pairs).unwrap();
    let expected =
        CalibrationMap::Isotonic { from: vec![0.1, 0.2, 0.4, 0.5], to: vec![0.0, 0.4, 0.4, 0.8] };
    let CalibrationMap::Isotonic { from, to } = &map else { panic!("not isotonic") };
    let CalibrationMap::Isotonic { from: points, to: means } = &expected else { unreachable!() };
    assert_eq!(from, points);
    assert!(to.iter().zip(means).all(|(a, b)| (a - b).abs() < 1e-12), "{to:?}");
    // What rises already is kept as it is.
    let rising: Vec<Pair> = values().map(|value| (value, value * value)).collect();
    let map = fit_isotonic(&rising).unwrap();
    assert!(rising.iter().all(|(value, target)| (map.apply(*value) - target).abs() < 1e-12));
}

#[test]
fn calibration_brings_values_to_what_they_say() {
    let pairs: Vec<Pair> = values()
        .enumerate()
        // Over-confident, and a seventh of the labels the other way round.
        .map(|(index, value)| {
            let label = (value > 0.5) != (index % 7 == 0);
            (if value > 0.5 { 0.98 } else { 0.02 } + (value - 0.5) / 100.0, f64::from(label))
        })
        .collect();
    let before = expected_calibration_error(&pairs, 10).unwrap();
    for map in [fit_logistic(&pairs).unwrap(), fit_isotonic(&pairs).unwrap()] {
        let mapped: Vec<Pair> = pairs.iter().map(|(v, target)| (map.apply(*v), *target)).collect();
        let after = expected_calibration_error(&mapped, 10).unwrap();
        assert!(after < 0.2 * before, "{map:?}: {before} to {after}");
        assert!(brier_score(&mapped) < brier_score(&pairs));
    }
}

#[test]
fn measures_are_those_of_their_definitions() {
    let pairs = [(0.05, 0.0), (0.15, 1.0), (1.0, 1.0), (0.95, 0.0)];
    let bins = reliability(&pairs, 10);
    assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [1, 1, 2]);
    assert!((bins[2].value - 0.975).abs() < 1e-12 && bins[2].target == 0.5);
    let error = (0.05 + 0.85 + 2.0 * 0.475) / 4.0;
    assert!((expected_calibration_error(&pairs, 10).unwrap() - error).abs() < 1e-12);
    let brier = (0.0025 + 0.7225 + 0.0 + 0.9025) / 4.0;
    assert!((brier_score(&pairs).unwrap() - brier).abs() < 1e-12);
    // scipy.stats.spearmanr([1, 2, 3, 4, 4], [1, 3, 2, 5, 4]) / 10
    let ranked = [(0.1, 0.1), (0.2, 0.3), (0.3, 0.2), (0.4, 0.5), (0.4, 0.4)];
    assert!((spearman(&ranked).unwrap() - 0.872_081_6).abs() < 1e-6, "{:?}", spearman(&ranked));
    assert_eq!(spearman(&[(0.1, 0.5), (0.2, 0.5)]), None);
    assert_eq!((expected_calibration_error(&[], 10), brier_score(&[])), (None, None));
}

#[test]
fn nothing_to_fit_to_is_an_error() {
    for pairs in [&[][..], &[(0.5, 1.5)], &[(f64::NAN, 0.5)]] {
        assert!(fit_isotonic(pairs).is_err() && fit_logistic(pairs).is_err());
    }
}
