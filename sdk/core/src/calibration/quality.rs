use serde::{Deserialize, Serialize};

use super::Pair;
use crate::evaluation::pearson;

/// Texts whose values lie close together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Mean of the values.
    pub value: f64,
    /// Mean of the targets: where a calibrated scorer has the same.
    pub target: f64,
    /// How many texts.
    pub count: u64,
}

/// Values in `bins` parts of [0, 1] of equal width; parts that hold none are left out.
#[must_use]
pub fn reliability(pairs: &[Pair], bins: usize) -> Vec<ReliabilityBin> {
    let bins = bins.max(1);
    let mut sums = vec![(0.0, 0.0, 0_u64); bins];
    for &(value, target) in pairs {
        // The last part holds its upper end.
        let index = ((value * bins as f64) as usize).min(bins - 1);
        let (values, targets, count) = &mut sums[index];
        *values += value;
        *targets += target;
        *count += 1;
    }
    sums.into_iter()
        .filter(|(_, _, count)| *count > 0)
        .map(|(values, targets, count)| ReliabilityBin {
            value: values / count as f64,
            target: targets / count as f64,
            count,
        })
        .collect()
}

/// Expected calibration error (Naeini et al. 2015): the distance of mean value and mean target in each
/// of `bins` parts of equal width, weighted by their texts. `None` without pairs.
#[must_use]
pub fn expected_calibration_error(pairs: &[Pair], bins: usize) -> Option<f64> {
    let total = reliability(pairs, bins)
        .iter()
        .map(|bin| bin.count as f64 * (bin.value - bin.target).abs())
        .sum::<f64>();
    (!pairs.is_empty()).then(|| total / pairs.len() as f64)
}

/// The mean squared difference of value and target (Brier 1950). `None` without pairs.
#[must_use]
pub fn brier_score(pairs: &[Pair]) -> Option<f64> {
    let total: f64 = pairs.iter().map(|(value, target)| (value - target).powi(2)).sum();
    (!pairs.is_empty()).then(|| total / pairs.len() as f64)
}

/// Spearman's rank correlation; equal values share their mean rank. `None` where one side is constant.
#[must_use]
pub fn spearman(pairs: &[Pair]) -> Option<f64> {
    let values = ranks(pairs.iter().map(|pair| pair.0));
    let targets = ranks(pairs.iter().map(|pair| pair.1));
    pearson(&values, &targets)
}

fn ranks(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let numbers: Vec<f64> = numbers.collect();
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut from = 0;
    while from < order.len() {
        let equal = order[from..].iter().take_while(|&&at| numbers[at] == numbers[order[from]]);
        let to = from + equal.count();
        for &at in &order[from..to] {
            ranks[at] = (from + to - 1) as f64 / 2.0;
        }
        from = to;
    }
    ranks
}
