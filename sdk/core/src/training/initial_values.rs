//! Values of parameters that are not trained yet.

use crate::random::{CounterRng, Domain};

/// An endless stream of normally distributed values with mean 0, by the transform of Box and Muller
/// (1958). It depends on the seed and on the number that its parameter has in the model, and on
/// nothing else: parameters can be filled in any order, by any number of threads.
pub fn normal_values(
    seed: u64,
    parameter: u64,
    standard_deviation: f64,
) -> impl Iterator<Item = f32> {
    let rng = CounterRng::new(seed, Domain::Initialisation);
    (0_u64..).flat_map(move |pair| {
        let uniform =
            |half: u32| rng.uniform(parameter, (pair >> 31) as u32, (pair as u32) << 1 | half);
        // The logarithm needs (0, 1], the generator gives [0, 1).
        let radius = standard_deviation * (-2.0 * (1.0 - uniform(0)).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * uniform(1)).sin_cos();
        [(radius * cosine) as f32, (radius * sine) as f32]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_moments_of_a_normal_distribution() {
        let values: Vec<f64> = normal_values(3, 5, 0.5).take(100_000).map(f64::from).collect();
        let moment = |power: i32| values.iter().map(|x| x.powi(power)).sum::<f64>() / 1e5;
        assert!(moment(1).abs() < 0.006, "{}", moment(1));
        assert!((moment(2) - 0.25).abs() < 0.004, "{}", moment(2));
        // The fourth moment is three times the square of the second.
        assert!((moment(4) / moment(2).powi(2) - 3.0).abs() < 0.08);
    }

    #[test]
    fn every_seed_and_parameter_has_values_of_its_own() {
        let first =
            |seed, parameter| normal_values(seed, parameter, 1.0).take(3).collect::<Vec<_>>();
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
    }
}
