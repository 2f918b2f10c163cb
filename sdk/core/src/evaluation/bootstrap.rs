use serde::{Deserialize, Serialize};

use super::random::SplitMix64;
use super::{COMPONENT, Interval};
use crate::{Error, ErrorKind, Result};

/// A statistic that is a sum over a sum, Σ numerator / Σ denominator, over items such as prompts or
/// documents. A mean has the denominator 1 everywhere.
///
/// An item without a value has the denominator 0: it keeps its place, so that statistics of the same
/// items can be resampled together, and counts for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ratio {
    items: Vec<(f64, f64)>,
}

impl Ratio {
    /// Items as (numerator, denominator).
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { items: items.into_iter().collect() }
    }

    /// The mean of values, some of which are missing.
    #[must_use]
    pub fn mean_of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        Self::new(values.into_iter().map(|value| value.map_or((0.0, 0.0), |value| (value, 1.0))))
    }

    /// The items as (numerator, denominator).
    #[must_use]
    pub fn items(&self) -> &[(f64, f64)] {
        &self.items
    }

    /// The statistic; `None` when the denominators add up to 0.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        ratio(self.items.iter().copied())
    }

    /// Σ denominator: for a mean, the number of items with a value.
    #[must_use]
    pub fn denominator(&self) -> f64 {
        self.items.iter().map(|(_, denominator)| denominator).sum()
    }

    fn resampled(&self, counts: &[u32]) -> Option<f64> {
        ratio(self.items.iter().zip(counts).map(|(&(numerator, denominator), &count)| {
            (numerator * f64::from(count), denominator * f64::from(count))
        }))
    }
}

fn ratio(items: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (numerator, denominator) =
        items.fold((0.0, 0.0), |(n, d), (numerator, denominator)| (n + numerator, d + denominator));
    (denominator > 0.0).then(|| numerator / denominator)
}

/// Percentile bootstrap (Efron 1979) over items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bootstrap {
    /// How many resamples; 0 for no intervals.
    pub resamples: usize,
    /// The share of resamples within an interval, in (0, 1).
    pub level: f64,
    /// Decides the resamples. They depend on it and on the number of items alone, so statistics of
    /// the same items, also of different models, are resampled alike.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, level: 0.95, seed: 0 }
    }
}

impl Bootstrap {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        if self.level > 0.0 && self.level < 1.0 {
            return Ok(());
        }
        let message = format!("{} is not in (0, 1)", self.level);
        Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up a bootstrap", message)
            .with_key("level"))
    }

    /// The interval of each statistic. All are over the same items and are resampled together.
    ///
    /// `None` where fewer than two items have a value: a single one says nothing of its spread.
    #[must_use]
    pub fn intervals(&self, ratios: &[&Ratio]) -> Vec<Option<Interval>> {
        let mut samples: Vec<Vec<f64>> =
            ratios.iter().map(|_| Vec::with_capacity(self.resamples)).collect();
        let items = ratios.iter().map(|ratio| ratio.items.len()).max().unwrap_or(0);
        self.for_each_resample(items, |counts| {
            for (ratio, samples) in ratios.iter().zip(&mut samples) {
                // A resample without any item that has a value has no statistic.
                samples.extend(ratio.resampled(counts));
            }
        });
        let enough = |ratio: &Ratio| ratio.items.iter().filter(|item| item.1 > 0.0).count() >= 2;
        ratios
            .iter()
            .zip(samples)
            .map(|(ratio, samples)| enough(ratio).then(|| self.percentiles(samples)).flatten())
            .collect()
    }

    /// The interval of `transform(other) - transform(base)`, two subjects measured on the same items
    /// in the same order. Each resample draws items once for both, which takes the difference between
    /// items out of the difference between subjects.
    #[must_use]
    pub fn difference(
        &self,
        base: &Ratio,
        other: &Ratio,
        transform: impl Fn(f64) -> f64,
    ) -> Option<Interval> {
        self.differences(&[(base, other)], transform).pop().flatten()
    }

    /// The same for several statistics of two subjects, all over the same items, resampled together.
    ///
    /// `None` where fewer than two items have a value of both subjects, or the numbers of items differ.
    #[must_use]
    pub fn differences(
        &self,
        pairs: &[(&Ratio, &Ratio)],
        transform: impl Fn(f64) -> f64,
    ) -> Vec<Option<Interval>> {
        let items = pairs.iter().map(|(base, _)| base.items.len()).max().unwrap_or(0);
        let enough = |(base, other): &(&Ratio, &Ratio)| {
            let both = base.items.iter().zip(&other.items).filter(|(a, b)| a.1 > 0.0 && b.1 > 0.0);
            base.items.len() == other.items.len() && both.take(2).count() == 2
        };
        let mut samples: Vec<Option<Vec<f64>>> = pairs
            .iter()
            .map(|pair| enough(pair).then(|| Vec::with_capacity(self.resamples)))
            .collect();
        if samples.iter().all(Option::is_none) {
            return vec![None; pairs.len()];
        }
        self.for_each_resample(items, |counts| {
            for ((base, other), samples) in pairs.iter().zip(&mut samples) {
                let Some(samples) = samples else { continue };
                if let (Some(base), Some(other)) = (base.resampled(counts), other.resampled(counts))
                {
                    samples.push(transform(other) - transform(base));
                }
            }
        });
        samples.into_iter().map(|samples| self.percentiles(samples?)).collect()
    }

    /// The interval of any statistic of so many items; it is told how often each item is in a resample,
    /// and `None` leaves a resample out that has no such statistic.
    ///
    /// `None` where there are fewer than two items.
    #[must_use]
    pub fn interval(
        &self,
        items: usize,
        statistic: impl Fn(&[u32]) -> Option<f64>,
    ) -> Option<Interval> {
        if items < 2 {
            return None;
        }
        let mut samples = Vec::with_capacity(self.resamples);
        self.for_each_resample(items, |counts| samples.extend(statistic(counts)));
        self.percentiles(samples)
    }

    /// Calls `see` with how often each item is in a resample.
    fn for_each_resample(&self, items: usize, mut see: impl FnMut(&[u32])) {
        let mut counts = vec![0; items];
        for resample in 0..self.resamples as u64 {
            counts.fill(0);
            let mut random = SplitMix64::stream(self.seed, resample);
            for _ in 0..items {
                counts[random.below(items)] += 1;
            }
            see(&counts);
        }
    }

    pub(super) fn percentiles(&self, mut samples: Vec<f64>) -> Option<Interval> {
        if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
            return None;
        }
        samples.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        let (low, high) = (quantile(&samples, tail), quantile(&samples, 1.0 - tail));
        Some(Interval { low, high, level: self.level })
    }
}

/// Linear between the two nearest order statistics (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    (position - position.floor()).mul_add(sorted[above] - sorted[below], sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(seed: u64, count: usize) -> Vec<f64> {
        let mut random = SplitMix64::new(seed);
        (0..count).map(|_| random.next() as f64 / u64::MAX as f64).collect()
    }

    fn mean_of(values: &[f64]) -> Ratio {
        Ratio::mean_of(values.iter().copied().map(Some))
    }

    #[test]
    fn missing_items_count_for_nothing() {
        let mean = Ratio::mean_of([Some(1.0), None, Some(2.0)]);
        assert_eq!((mean.value(), mean.denominator()), (Some(1.5), 2.0));
        assert_eq!(Ratio::mean_of([None, None]).value(), None);
        assert_eq!(Ratio::default().value(), None);
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 1.0), 8.0);
        assert_eq!(quantile(&sorted, 0.5), 3.0);
        assert!((quantile(&sorted, 0.9) - 6.8).abs() < 1e-12);
    }

    /// 1.96 standard errors to each side of the mean, within what 1000 resamples can tell.
    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_approximation() {
        let values = uniform(1, 2000);
        let mean = values.iter().sum::<f64>() / 2000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1999.0;
        let half = 1.96 * (variance / 2000.0).sqrt();
        let interval = Bootstrap::default().intervals(&[&mean_of(&values)])[0].unwrap();
        assert!((interval.low - (mean - half)).abs() < 0.15 * half, "{interval:?}");
        assert!((interval.high - (mean + half)).abs() < 0.15 * half, "{interval:?}");
        assert_eq!(interval.level, 0.95);
    }

    #[test]
    fn equal_seeds_give_equal_bits_and_others_do_not() {
        let ratio = mean_of(&uniform(2, 50));
        let interval =
            |seed| Bootstrap { resamples: 50, seed, ..Bootstrap::default() }.intervals(&[&ratio]);
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
    }

    #[test]
    fn a_single_item_has_no_interval() {
        let bootstrap = Bootstrap::default();
        assert_eq!(bootstrap.intervals(&[&mean_of(&[0.3])]), [None]);
        assert_eq!(bootstrap.intervals(&[&Ratio::mean_of([Some(0.3), None])]), [None]);
        assert_eq!(bootstrap.intervals(&[&Ratio::default()]), [None]);
        let none = Bootstrap { resamples: 0, ..bootstrap };
        assert_eq!(none.intervals(&[&mean_of(&[0.3, 0.4])]), [None]);
    }

    #[test]
    fn a_paired_difference_is_sharper_than_two_intervals() {
        let base = uniform(3, 500);
        let noise = uniform(4, 500);
        let other: Vec<f64> = base.iter().zip(&noise).map(|(b, n)| b - 0.1 + 0.02 * n).collect();
        let bootstrap = Bootstrap::default();
        let (base, other) = (mean_of(&base), mean_of(&other));
        let difference = bootstrap.difference(&base, &other, |mean| mean).unwrap();
        let expected = other.value().unwrap() - base.value().unwrap();
        assert!(difference.low < expected && expected < difference.high);
        assert!(difference.high < 0.0);
        let alone = bootstrap.intervals(&[&base])[0].unwrap();
        assert!(difference.high - difference.low < (alone.high - alone.low) / 10.0);
        assert_eq!(bootstrap.difference(&base, &mean_of(&[0.1]), |mean| mean), None);
        let few = mean_of(&[0.1]);
        let together = bootstrap.differences(&[(&few, &few), (&base, &other)], |mean| mean);
        assert_eq!(together, [None, Some(difference)]);
    }

    #[test]
    fn an_impossible_level_is_refused() {
        for level in [0.0, 1.0, f64::NAN] {
            let bootstrap = Bootstrap { level, ..Bootstrap::default() };
            assert_eq!(bootstrap.validate().unwrap_err().key(), Some("level"));
        }
        assert!(Bootstrap::default().validate().is_ok());
    }
}
