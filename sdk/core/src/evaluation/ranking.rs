use super::{Bootstrap, Interval};

/// Values in their order, each with a yes or no: how well a scale parts the one from the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Ascending by value, with the place in what it was made of.
    order: Vec<(f64, bool, usize)>,
}

impl Ranking {
    /// Sorts values; `None` when one is no number.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = (f64, bool)>) -> Option<Self> {
        let numbered = values.into_iter().enumerate();
        let mut order: Vec<_> = numbered.map(|(at, (value, yes))| (value, yes, at)).collect();
        if order.iter().any(|(value, ..)| value.is_nan()) {
            return None;
        }
        order.sort_by(|one, other| one.0.total_cmp(&other.0));
        Some(Self { order })
    }

    /// The area under the ROC curve: how often a yes has the higher value than a no, a tie counting
    /// for half. 1 is a perfect order, 0.5 none.
    ///
    /// It is the Mann-Whitney statistic over the number of pairs (Hanley and McNeil 1982, "The Meaning
    /// and Use of the Area under a Receiver Operating Characteristic (ROC) Curve"; Mann and Whitney
    /// 1947). `None` when there is no yes or no no.
    #[must_use]
    pub fn area(&self) -> Option<f64> {
        self.weighted_area(|_| 1.0)
    }

    /// The percentile bootstrap interval of [`Self::area`], over values with their yes or no.
    #[must_use]
    pub fn area_interval(&self, bootstrap: &Bootstrap) -> Option<Interval> {
        self.area()?;
        bootstrap
            .interval(self.order.len(), |counts| self.weighted_area(|at| f64::from(counts[at])))
    }

    /// The mean of the precision over the yeses, from the highest value down: Σ (Rₙ − Rₙ₋₁) Pₙ over
    /// the distinct values, with Rₙ and Pₙ the recall and the precision when everything from the n-th
    /// highest value on counts as a yes. Not interpolated, equal values are one step: the definition of
    /// scikit-learn's `average_precision_score`. `None` without a yes.
    ///
    /// Unlike the area it falls with the share of yeses: an order without information has that share.
    #[must_use]
    pub fn average_precision(&self) -> Option<f64> {
        let total = self.order.iter().filter(|(_, yes, _)| *yes).count() as f64;
        let (mut found, mut seen, mut sum) = (0.0, 0.0, 0.0);
        for equal in self.order.chunk_by(|one, other| one.0 == other.0).rev() {
            let here = equal.iter().filter(|(_, yes, _)| *yes).count() as f64;
            found += here;
            seen += equal.len() as f64;
            sum += here / total * (found / seen);
        }
        (total > 0.0).then_some(sum)
    }

    /// The area when the value made of item `at` counts `weight(at)` times.
    fn weighted_area(&self, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut yeses, mut noes, mut ordered) = (0.0, 0.0, 0.0);
        // `==` and not `total_cmp`: -0.0 and 0.0 are a tie, and neighbours in either order.
        for equal in self.order.chunk_by(|one, other| one.0 == other.0) {
            let (mut yes_here, mut no_here) = (0.0, 0.0);
            for &(_, yes, at) in equal {
                *(if yes { &mut yes_here } else { &mut no_here }) += weight(at);
            }
            ordered += yes_here * (noes + no_here / 2.0);
            yeses += yes_here;
            noes += no_here;
        }
        (yeses > 0.0 && noes > 0.0).then(|| ordered / (yeses * noes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(values: &[(f64, bool)]) -> Ranking {
        Ranking::new(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_mean_precision_takes_equal_values_as_one_step() {
        // By hand: recall 1/3 at precision 1, 2/3 at 2/4 (a tie of three), 1 at 3/5.
        let ranked = ranking(&[(0.9, true), (0.5, true), (0.5, false), (0.5, false), (0.1, true)]);
        let expected = (1.0 + 2.0 / 4.0 + 3.0 / 5.0) / 3.0;
        assert!((ranked.average_precision().unwrap() - expected).abs() < 1e-12);
        // sklearn.metrics.average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        let known = ranking(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]);
        assert!((known.average_precision().unwrap() - 0.833_333_333).abs() < 1e-8);
        assert_eq!(known.area(), Some(0.75));
        // An order without information has the share of yeses.
        let flat = ranking(&[(0.5, true), (0.5, false), (0.5, false), (0.5, false)]);
        assert_eq!((flat.average_precision(), flat.area()), (Some(0.25), Some(0.5)));
        assert_eq!(ranking(&[(0.5, false)]).average_precision(), None);
        assert_eq!(ranking(&[]).average_precision(), None);
    }

    #[test]
    fn the_area_of_a_resample_is_that_of_values_written_out() {
        let values: Vec<(f64, bool)> =
            (0..60_u32).map(|i| (f64::from(i * 7 % 13), i * 11 % 5 > 2)).collect();
        let counts: Vec<u32> = (0..60).map(|i| i * 17 % 4).collect();
        let repeated = |(value, count): (&(f64, bool), &u32)| vec![*value; *count as usize];
        let written_out: Vec<_> = values.iter().zip(&counts).flat_map(repeated).collect();
        let weighted = ranking(&values).weighted_area(|at| f64::from(counts[at])).unwrap();
        assert!((weighted - ranking(&written_out).area().unwrap()).abs() < 1e-12);
    }

    /// Hanley and McNeil's standard error, within what resampling can tell.
    #[test]
    fn the_interval_has_the_width_of_the_published_standard_error() {
        let values: Vec<(f64, bool)> = (0..800_u32)
            .map(|i| {
                let yes = i % 2 == 0;
                (f64::from(i * 7919 % 1009) / 1009.0 + if yes { 0.35 } else { 0.0 }, yes)
            })
            .collect();
        let ranked = ranking(&values);
        let area = ranked.area().unwrap();
        let (q1, q2) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
        let n = 400.0;
        let variance =
            area * (1.0 - area) + (n - 1.0) * (q1 - area * area) + (n - 1.0) * (q2 - area * area);
        let half = 1.96 * variance.sqrt() / n;
        let interval = ranked.area_interval(&Bootstrap::default()).unwrap();
        assert!(((interval.high - interval.low) / 2.0 / half - 1.0).abs() < 0.25, "{interval:?}");
        assert!(interval.low < area && area < interval.high);
        let one_class = ranking(&[(0.1, true), (0.2, true)]);
        assert_eq!(one_class.area_interval(&Bootstrap::default()), None);
    }
}
