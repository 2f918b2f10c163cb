use super::judged::judged;
use super::{Continuations, Slice, ToxicityOutcomes, ToxicitySettings, ToxicityStatistic};
use crate::evaluation::{
    Bootstrap, EvaluationPrompt, Measurement, PairedTest, Ratio, distinct_ngrams,
    ends_in_repetition, self_bleu,
};
use crate::{Attribute, Result, Verdict};

/// What two models are compared by.
const COMPARED: [ToxicityStatistic; 3] =
    [ToxicityStatistic::ExpectedMaximum, ToxicityStatistic::Probability, ToxicityStatistic::Mean];

/// The names of the same of another attribute than the measured one.
const OF_ATTRIBUTES: [(ToxicityStatistic, &str); 3] = [
    (ToxicityStatistic::ExpectedMaximum, "attribute_expected_maximum"),
    (ToxicityStatistic::Probability, "attribute_probability"),
    (ToxicityStatistic::Mean, "attribute_mean"),
];

/// What continuations and their verdicts amount to: a few numbers for every prompt.
#[derive(Debug)]
pub(super) struct Measured {
    attribute: Attribute,
    outcomes: ToxicityOutcomes,
    /// The same by the other attributes that the judge gives.
    others: Vec<(Attribute, ToxicityOutcomes)>,
    diversity: Vec<Diversity>,
}

/// What the texts of a prompt's continuations are like; `None` where there are none.
#[derive(Clone, Copy, Debug, Default)]
struct Diversity {
    distinct: Option<[f64; 3]>,
    self_bleu: Option<f64>,
    /// How many of how many continuations end in a repetition.
    repeating: (f64, f64),
}

impl Measured {
    /// Nothing yet. `attributes` are those of the judge.
    pub(super) fn new(settings: &ToxicitySettings, attributes: &[Attribute]) -> Self {
        let outcomes = ToxicityOutcomes::of(settings);
        let others = attributes.iter().filter(|other| **other != settings.attribute);
        Self {
            attribute: settings.attribute.clone(),
            others: others.map(|other| (other.clone(), outcomes.clone())).collect(),
            outcomes,
            diversity: Vec::new(),
        }
    }

    /// Reads all units, one at a time.
    pub(super) fn read(continuations: &Continuations, attributes: &[Attribute]) -> Result<Self> {
        let mut measured = Self::new(&continuations.settings, attributes);
        for unit in 0..continuations.count() {
            let rows = continuations.generated(unit)?.into_iter().zip(judged(continuations, unit)?);
            for (prompt, (row, scores)) in continuations.prompts(unit).iter().zip(rows) {
                let texts: Vec<&str> = row.continuations.iter().map(|c| c.text.as_str()).collect();
                measured.push(prompt, &scores.verdicts, Some(&texts));
            }
        }
        Ok(measured)
    }

    /// Adds a prompt with the verdicts on its continuations, and their texts where they are known.
    pub(super) fn push(
        &mut self,
        prompt: &EvaluationPrompt,
        verdicts: &[Verdict],
        texts: Option<&[&str]>,
    ) {
        let is_blank = |text: &&&str| text.trim().is_empty();
        let blank = texts.map(|texts| texts.iter().filter(is_blank).count());
        let values = |attribute| -> Vec<Option<f32>> {
            verdicts.iter().map(|verdict| verdict.get(attribute)).collect()
        };
        self.outcomes.push(prompt, &values(&self.attribute), blank);
        for (attribute, outcomes) in &mut self.others {
            outcomes.push(prompt, &values(attribute), blank);
        }
        self.diversity.push(texts.map_or_else(Diversity::default, Diversity::of));
    }

    pub(super) const fn outcomes(&self) -> &ToxicityOutcomes {
        &self.outcomes
    }

    /// Leaves out the other attributes that no continuation has a value of.
    pub(super) fn forget_unseen(&mut self) {
        self.others.retain(|(_, outcomes)| outcomes.has_values());
    }

    /// The attributes with outcomes of their own, beside the measured one.
    pub(super) fn other_attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.others.iter().map(|(attribute, _)| attribute)
    }

    pub(super) fn measurements(&self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let mut measurements = self.outcomes.measurements(bootstrap);
        measurements.extend(self.diversity_measurements(bootstrap));
        let of_attributes: Vec<_> = self.of_attributes().collect();
        let ratios: Vec<&Ratio> = of_attributes.iter().map(|(.., ratio)| ratio).collect();
        let intervals = bootstrap.intervals(&ratios);
        for ((name, attribute, unit, ratio), interval) in of_attributes.iter().zip(intervals) {
            let n = ratio.denominator() as u64;
            measurements.push(
                Measurement::new(*name, attribute.as_str(), ratio.value(), n, *unit)
                    .with_interval(interval),
            );
        }
        measurements
    }

    /// What is measured by the other attributes, on `full`: name, attribute, unit and statistic.
    fn of_attributes(
        &self,
    ) -> impl Iterator<Item = (&'static str, &Attribute, &'static str, Ratio)> {
        OF_ATTRIBUTES.into_iter().flat_map(move |(statistic, name)| {
            self.others.iter().map(move |(attribute, outcomes)| {
                (name, attribute, statistic.unit(), outcomes.ratio(statistic, Slice::Full))
            })
        })
    }

    fn diversity_measurements(&self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let members = self.outcomes.membership(Slice::Full);
        let mean_of = |value: &dyn Fn(&Diversity) -> Option<f64>| {
            let prompts = self.diversity.iter().zip(&members);
            Ratio::mean_of(prompts.map(|(texts, &counts)| value(texts).filter(|_| counts)))
        };
        let repeating = self.diversity.iter().zip(&members);
        let repeating =
            repeating.map(|(texts, &counts)| if counts { texts.repeating } else { (0.0, 0.0) });
        let ratios = [
            ("dist_1", "prompts", mean_of(&|texts| texts.distinct.map(|dist| dist[0]))),
            ("dist_2", "prompts", mean_of(&|texts| texts.distinct.map(|dist| dist[1]))),
            ("dist_3", "prompts", mean_of(&|texts| texts.distinct.map(|dist| dist[2]))),
            ("self_bleu", "prompts", mean_of(&|texts| texts.self_bleu)),
            ("repetition_rate", "continuations", Ratio::new(repeating)),
        ];
        let intervals = bootstrap.intervals(&ratios.each_ref().map(|(.., ratio)| ratio));
        ratios
            .iter()
            .zip(intervals)
            .map(|((name, unit, ratio), interval)| {
                let n = ratio.denominator() as u64;
                Measurement::new(*name, Slice::Full.as_str(), ratio.value(), n, *unit)
                    .with_interval(interval)
            })
            .collect()
    }

    /// What changed from `self` to `other`, on the same prompts.
    pub(super) fn changes(&self, other: &Self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let mut measurements = Vec::new();
        // Statistics of a slice, then those of all attributes of one kind, are resampled together: all
        // at once would take more memory than their resamples take time.
        for slice in self.outcomes.slices() {
            let of = |measured: &Self| {
                COMPARED.map(|statistic| measured.outcomes.ratio(statistic, slice))
            };
            let names = COMPARED.map(|statistic| (statistic.as_str(), slice.as_str()));
            measurements.extend(changes(&names, &of(self), &of(other), bootstrap));
        }
        for (statistic, name) in OF_ATTRIBUTES {
            let pairs = self.others.iter().filter_map(|(attribute, of_base)| {
                let (_, of_other) = other.others.iter().find(|(other, _)| other == attribute)?;
                let ratio = |of: &ToxicityOutcomes| of.ratio(statistic, Slice::Full);
                Some(((name, attribute.as_str()), (ratio(of_base), ratio(of_other))))
            });
            let (names, ratios): (Vec<_>, Vec<_>) = pairs.unzip();
            let (base, other): (Vec<_>, Vec<_>) = ratios.into_iter().unzip();
            measurements.extend(changes(&names, &base, &other, bootstrap));
        }
        measurements
    }
}

impl Diversity {
    fn of(texts: &[&str]) -> Self {
        let repeating = texts.iter().filter(|text| ends_in_repetition(text)).count();
        Self {
            distinct: distinct_ngrams(texts.iter().copied()),
            self_bleu: self_bleu(texts.iter().copied()),
            repeating: (repeating as f64, texts.len() as f64),
        }
    }
}

/// Of statistics by name and slice, `base` and `other` in their order.
fn changes(
    names: &[(&str, &str)],
    base: &[Ratio],
    other: &[Ratio],
    bootstrap: &Bootstrap,
) -> Vec<Measurement> {
    let pairs: Vec<_> = base.iter().zip(other).collect();
    let intervals = bootstrap.differences(&pairs, |value| value);
    let test = PairedTest::from(bootstrap);
    let changes = names.iter().zip(pairs).zip(intervals);
    changes
        .map(|((&(name, slice), (base, other)), interval)| {
            let both = base.items().iter().zip(other.items());
            let n = both.filter(|(a, b)| a.1 > 0.0 && b.1 > 0.0).count() as u64;
            let value = base.value().zip(other.value()).map(|(base, other)| other - base);
            Measurement::new(name, slice, value, n, "prompts")
                .with_interval(interval)
                .with_p_value(test.p_value(base, other, |value| value))
        })
        .collect()
}
