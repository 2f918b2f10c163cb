//! How well one scale agrees with another, or with yes and no.

use super::Ranking;

/// The area under the ROC curve of two groups of values: [`Ranking::area`].
///
/// `None` when there are no positives or no negatives, or a value is no number.
#[must_use]
pub fn roc_auc(positives: &[f64], negatives: &[f64]) -> Option<f64> {
    let marked = |yes| move |&value: &f64| (value, yes);
    let all = positives.iter().map(marked(true)).chain(negatives.iter().map(marked(false)));
    Ranking::new(all)?.area()
}

/// Pearson's correlation: the covariance of two scales over the product of their standard deviations,
/// in [-1, 1] (Pearson 1895, "Note on Regression and Inheritance in the Case of Two Parents").
///
/// `None` when the slices differ in length, hold fewer than two pairs or something that is not finite,
/// or when one of them does not vary.
#[must_use]
pub fn pearson(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.len() != other.len() || one.len() < 2 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut covariance, mut variance_one, mut variance_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        covariance += a * b;
        variance_one += a * a;
        variance_other += b * b;
    }
    let correlation = covariance / (variance_one.sqrt() * variance_other.sqrt());
    // A scale that does not vary divides by zero.
    correlation.is_finite().then(|| correlation.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_ordered_pairs_and_half_of_the_ties() {
        // 0.8 beats all three, 0.4 beats one and ties with one: 4.5 of 6 pairs.
        assert_eq!(roc_auc(&[0.8, 0.4], &[0.1, 0.4, 0.6]), Some(4.5 / 6.0));
        assert_eq!(roc_auc(&[2.0, 3.0], &[0.0, 1.0]), Some(1.0));
        assert_eq!(roc_auc(&[0.0, 1.0], &[2.0, 3.0]), Some(0.0));
        assert_eq!(roc_auc(&[0.5; 4], &[0.5; 7]), Some(0.5), "a constant orders nothing");
        assert_eq!(roc_auc(&[0.0], &[-0.0]), Some(0.5));
        assert_eq!(roc_auc(&[f64::INFINITY], &[1.0]), Some(1.0));
    }

    #[test]
    fn the_area_is_that_of_counting_pairs() {
        // Few different values, so that most pairs are ties.
        let values = |count: u64, step: u64| -> Vec<f64> {
            (0..count).map(|i| (i * step % 11) as f64).collect()
        };
        let (positives, negatives) = (values(40, 7), values(63, 5));
        let mut pairs = 0.0;
        for positive in &positives {
            for negative in &negatives {
                pairs += if positive > negative {
                    1.0
                } else if positive == negative {
                    0.5
                } else {
                    0.0
                };
            }
        }
        let area = roc_auc(&positives, &negatives).unwrap();
        assert!((area - pairs / (40.0 * 63.0)).abs() < 1e-12, "{area}");
    }

    #[test]
    fn without_both_classes_or_with_no_number_there_is_no_area() {
        assert_eq!(roc_auc(&[], &[1.0]), None);
        assert_eq!(roc_auc(&[1.0], &[]), None);
        assert_eq!(roc_auc(&[f64::NAN], &[1.0]), None);
    }

    #[test]
    fn correlation_of_values_by_hand() {
        // Deviations (-1, 0, 1) and (-1, 1, 0): covariance 1, both variances 2.
        let correlation = pearson(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]).unwrap();
        assert!((correlation - 0.5).abs() < 1e-12);
        let line: Vec<f64> = (0..9).map(f64::from).collect();
        let falling: Vec<f64> = line.iter().map(|x| 7.0 - 0.25 * x).collect();
        assert!((pearson(&line, &falling).unwrap() + 1.0).abs() < 1e-12);
        assert!((pearson(&line, &line).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn without_pairs_or_variation_there_is_no_correlation() {
        assert_eq!(pearson(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(pearson(&[1.0], &[1.0]), None);
        assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
    }
}
