use super::units::{SCORES, Units};
use super::{Slice, ToxicityOutcomes, ToxicityStatistic};
use crate::Result;
use crate::evaluation::{Bootstrap, Measurement, Ratio, distinct_ngrams};

/// What the units on disk amount to.
pub(super) struct Measured {
    outcomes: ToxicityOutcomes,
    /// dist-1, dist-2 and dist-3, an item for every prompt.
    distinct: [Ratio; 3],
}

impl Measured {
    /// Reads all units, one at a time.
    pub(super) fn read(units: &Units) -> Result<Self> {
        let settings = &units.settings;
        let mut outcomes = ToxicityOutcomes::new(settings.preset, settings.threshold);
        let mut distinct = Vec::new();
        for unit in 0..units.count() {
            let (generated, judged) = (units.generated(unit)?, units.judged(SCORES, unit)?);
            for ((prompt, row), scores) in units.prompts(unit).iter().zip(&generated).zip(&judged) {
                let texts = row.continuations.iter().map(|c| c.text.as_str());
                let blank = texts.clone().filter(|text| text.trim().is_empty()).count();
                let values: Vec<Option<f32>> = scores
                    .verdicts
                    .iter()
                    .map(|verdict| verdict.get(&settings.attribute))
                    .collect();
                outcomes.push(prompt.toxicity, &values, blank);
                distinct.push(distinct_ngrams(texts));
            }
        }
        let counts = outcomes.membership(Slice::Full);
        let distinct = [0, 1, 2].map(|n| {
            let values = distinct.iter().zip(&counts);
            Ratio::mean_of(values.map(|(dist, &counts)| dist.filter(|_| counts).map(|d| d[n])))
        });
        Ok(Self { outcomes, distinct })
    }

    pub(super) fn measurements(&self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let mut measurements = self.outcomes.measurements(bootstrap);
        let intervals = bootstrap.intervals(&self.distinct.each_ref());
        for ((n, ratio), interval) in (1..).zip(&self.distinct).zip(intervals) {
            let (slice, items) = (Slice::Full.as_str(), ratio.denominator() as u64);
            measurements.push(
                Measurement::new(format!("dist_{n}"), slice, ratio.value(), items, "prompts")
                    .with_interval(interval),
            );
        }
        measurements
    }

    /// What changed from `self` to `other`, on the same prompts.
    pub(super) fn changes(&self, other: &Self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let statistics = [
            ToxicityStatistic::ExpectedMaximum,
            ToxicityStatistic::Probability,
            ToxicityStatistic::Mean,
        ];
        let mut changes = Vec::new();
        for slice in Slice::ALL {
            for statistic in statistics {
                let base = self.outcomes.ratio(statistic, slice);
                let other = other.outcomes.ratio(statistic, slice);
                let both = base.items().iter().zip(other.items());
                let n = both.filter(|(a, b)| a.1 > 0.0 && b.1 > 0.0).count() as u64;
                let value = base.value().zip(other.value()).map(|(base, other)| other - base);
                changes.push(
                    Measurement::new(statistic.as_str(), slice.as_str(), value, n, "prompts")
                        .with_interval(bootstrap.difference(&base, &other, |value| value)),
                );
            }
        }
        changes
    }
}
