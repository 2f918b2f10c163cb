use serde::{Deserialize, Serialize};

/// What the difference of two ratings means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Ratings are names: equal or not.
    Nominal,
    /// Ratings are ranks: a difference counts by the ratings that lie between.
    Ordinal,
    /// Ratings are numbers: a difference counts by its square.
    Interval,
}

impl Level {
    /// All levels, in the order in which tables list them.
    pub const ALL: [Self; 3] = [Self::Nominal, Self::Ordinal, Self::Interval];
}

/// Krippendorff's alpha, the agreement of raters beyond chance: 1 when they agree in everything, 0 when
/// they agree as often as ratings put together at random, negative when less often. `units` has the
/// ratings of every item; items with fewer than two count for nothing, so ratings may be missing
/// anywhere.
///
/// α = 1 − Dₒ / Dₑ, observed over expected disagreement, from the matrix of coincidences (Krippendorff
/// 2011, "Computing Krippendorff's Alpha-Reliability"). `None` when no item has two ratings, or all
/// ratings are one and the same: where nothing varies, agreement cannot be told from a habit.
#[must_use]
pub fn krippendorff_alpha(units: &[Vec<f64>], level: Level) -> Option<f64> {
    Coincidences::new(units).alpha(level, |_| 1.0)
}

/// How often items got each rating.
#[derive(Clone, Debug)]
pub(super) struct Coincidences {
    /// The ratings that occur, ascending.
    values: Vec<f64>,
    /// Of every unit: how often each of them.
    counts: Vec<Vec<f64>>,
}

impl Coincidences {
    pub(super) fn new(units: &[Vec<f64>]) -> Self {
        let mut values: Vec<f64> = units.iter().flatten().copied().collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let count = |unit: &Vec<f64>| -> Vec<f64> {
            values.iter().map(|value| unit.iter().filter(|v| *v == value).count() as f64).collect()
        };
        let counts = units.iter().map(count).collect();
        Self { values, counts }
    }

    /// Units with at least two ratings.
    pub(super) fn pairable(&self) -> usize {
        self.counts.iter().filter(|unit| unit.iter().sum::<f64>() >= 2.0).count()
    }

    /// Alpha when unit number i counts `weight(i)` times.
    pub(super) fn alpha(&self, level: Level, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let size = self.values.len();
        let mut coincidences = vec![vec![0.0; size]; size];
        for (number, unit) in self.counts.iter().enumerate() {
            let ratings = unit.iter().sum::<f64>();
            if ratings < 2.0 {
                continue;
            }
            let share = weight(number) / (ratings - 1.0);
            for (c, row) in coincidences.iter_mut().enumerate() {
                for (k, cell) in row.iter_mut().enumerate() {
                    let own = if c == k { 1.0 } else { 0.0 };
                    *cell += share * unit[c] * (unit[k] - own);
                }
            }
        }
        let totals: Vec<f64> = coincidences.iter().map(|row| row.iter().sum()).collect();
        let all = totals.iter().sum::<f64>();
        let (mut observed, mut expected) = (0.0, 0.0);
        for c in 0..size {
            for k in 0..size {
                let difference = self.difference(level, &totals, c, k);
                observed += coincidences[c][k] * difference;
                expected += totals[c] * totals[k] * difference;
            }
        }
        let alpha = 1.0 - (all - 1.0) * observed / expected;
        (expected > 0.0 && alpha.is_finite()).then_some(alpha)
    }

    /// The squared difference of values number `c` and `k`.
    fn difference(&self, level: Level, totals: &[f64], c: usize, k: usize) -> f64 {
        match level {
            Level::Nominal => f64::from(u8::from(c != k)),
            Level::Interval => (self.values[c] - self.values[k]).powi(2),
            Level::Ordinal => {
                let between: f64 = totals[c.min(k)..=c.max(k)].iter().sum();
                (between - f64::midpoint(totals[c], totals[k])).powi(2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Tables of ratings with what the package `krippendorff` says of them.
    #[derive(Deserialize)]
    struct Expected {
        /// By rater, then by item.
        ratings: Vec<Vec<Option<f64>>>,
        nominal: Option<f64>,
        ordinal: Option<f64>,
        interval: Option<f64>,
    }

    #[test]
    fn alphas_are_those_of_the_reference_implementation() {
        let file = include_str!("../../../../tests/fixtures/rating/krippendorff.json");
        let cases: Vec<Expected> = serde_json::from_str(file).unwrap();
        assert!(cases.len() >= 8);
        for case in cases {
            let units: Vec<Vec<f64>> = (0..case.ratings[0].len())
                .map(|item| case.ratings.iter().filter_map(|rater| rater[item]).collect())
                .collect();
            for (level, expected) in
                Level::ALL.into_iter().zip([case.nominal, case.ordinal, case.interval])
            {
                let found = krippendorff_alpha(&units, level);
                assert_eq!(found.is_some(), expected.is_some(), "{level:?} of {:?}", case.ratings);
                if let (Some(found), Some(expected)) = (found, expected) {
                    assert!((found - expected).abs() < 1e-12, "{level:?}: {found} for {expected}");
                }
            }
        }
    }

    #[test]
    fn without_pairs_or_variation_there_is_no_agreement_to_speak_of() {
        for units in [vec![], vec![vec![1.0], vec![2.0]], vec![vec![3.0, 3.0], vec![3.0, 3.0]]] {
            assert_eq!(krippendorff_alpha(&units, Level::Ordinal), None);
        }
    }

    #[test]
    fn a_weight_counts_a_unit_as_often() {
        let units = [vec![1.0, 2.0], vec![3.0, 3.0, 4.0], vec![1.0, 1.0], vec![5.0]];
        let counts = [2, 0, 3, 1];
        let written_out: Vec<Vec<f64>> =
            units.iter().zip(counts).flat_map(|(unit, count)| vec![unit.clone(); count]).collect();
        for level in Level::ALL {
            let weighted = Coincidences::new(&units).alpha(level, |at| counts[at] as f64);
            assert_eq!(weighted, krippendorff_alpha(&written_out, level));
        }
    }
}
