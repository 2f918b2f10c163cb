use std::path::Path;

use serde::{Deserialize, Serialize};

use super::alpha::Coincidences;
use super::{JudgeValues, KeyItem, Level, Ratings};
use crate::calibration::spearman;
use crate::evaluation::{Bootstrap, Measurement, PairedTest, Ratio, pearson};
use crate::files::{write_atomically, write_json};
use crate::{Attribute, Info, Result};

/// What ratings of a sheet amount to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingResult {
    /// The sheet.
    pub sheet: String,
    /// How many people rated something.
    pub raters: u64,
    /// How many items the sheet has.
    pub items: u64,
    /// How intervals were made.
    pub bootstrap: Bootstrap,
    /// What was found for each question.
    pub questions: Vec<QuestionResult>,
}

/// What ratings say to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionResult {
    /// The question.
    pub question: super::Question,
    /// `mean_rating` by model, the slice: the mean over prompts of the mean over raters.
    pub means: Vec<Measurement>,
    /// `mean_rating` of a model minus that of the first, the slice `other − first`, over the prompts
    /// that have ratings of both, paired by prompt, with the p-value of a [`PairedTest`].
    pub differences: Vec<Measurement>,
    /// Krippendorff's alpha by level, over the items that at least two rated.
    pub agreement: Vec<Measurement>,
    /// How each scorer's values go with the mean ratings.
    pub judges: Vec<JudgeResult>,
}

/// How a scorer's values go with people's ratings, over the items that have both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeResult {
    /// The scorer.
    pub judge: Info,
    /// Its attribute.
    pub attribute: Attribute,
    /// Pearson's correlation.
    pub pearson: Measurement,
    /// Spearman's.
    pub spearman: Measurement,
}

impl RatingResult {
    /// Writes `ratings.json` and `ratings.md`.
    ///
    /// # Errors
    /// When the directory or a file cannot be written.
    pub fn write(&self, directory: impl AsRef<Path>) -> Result<()> {
        let directory = directory.as_ref();
        write_json(directory.join("ratings.json"), self)?;
        write_atomically(directory.join("ratings.md"), self.markdown())
    }
}

impl Ratings {
    /// Means by model, agreement among raters and correlation with scorers, with bootstrap intervals
    /// over prompts, items and items.
    #[must_use]
    pub fn result(&self, judges: &[JudgeValues], bootstrap: &Bootstrap) -> RatingResult {
        let questions = 0..self.key.questions.len();
        RatingResult {
            sheet: self.key.sheet.clone(),
            raters: self.raters().len() as u64,
            items: self.key.items.len() as u64,
            bootstrap: bootstrap.clone(),
            questions: questions.map(|number| self.question(number, judges, bootstrap)).collect(),
        }
    }

    fn question(
        &self,
        number: usize,
        judges: &[JudgeValues],
        bootstrap: &Bootstrap,
    ) -> QuestionResult {
        let ratios = self.by_model(number);
        let intervals = bootstrap.intervals(&ratios.iter().collect::<Vec<_>>());
        let models = self.key.models.iter().zip(&ratios);
        let means = models.zip(intervals).map(|((model, ratio), interval)| {
            mean_rating(model.name.clone(), ratio.value(), ratio.denominator())
                .with_interval(interval)
        });
        QuestionResult {
            question: self.key.questions[number].clone(),
            means: means.collect(),
            differences: self.differences(&ratios, bootstrap),
            agreement: self.agreement(number, bootstrap),
            judges: judges.iter().map(|judge| self.judge(number, judge, bootstrap)).collect(),
        }
    }

    /// The mean ratings of each model, its prompts in the same order as every other's.
    fn by_model(&self, question: usize) -> Vec<Ratio> {
        let items = || self.key.items.iter().enumerate();
        let mut prompts: Vec<u64> = items().map(|(_, item)| item.prompt).collect();
        prompts.sort_unstable();
        prompts.dedup();
        let of_model = |name: &str| {
            let mut means = vec![None; prompts.len()];
            for (number, item) in items().filter(|(_, item): &(usize, &KeyItem)| item.model == name)
            {
                if let Ok(at) = prompts.binary_search(&item.prompt) {
                    means[at] = self.mean(question, number);
                }
            }
            Ratio::mean_of(means)
        };
        self.key.models.iter().map(|model| of_model(&model.name)).collect()
    }

    fn differences(&self, ratios: &[Ratio], bootstrap: &Bootstrap) -> Vec<Measurement> {
        let Some((first, others)) = ratios.split_first() else { return Vec::new() };
        let models = &self.key.models;
        let difference = |(name, other): (&String, &Ratio)| {
            // Prompts that one of the two has no rating for would compare other prompts with others.
            let pairs = first.items().iter().zip(other.items());
            let rated = |(a, b): (&(f64, f64), &(f64, f64))| {
                let both = a.1 > 0.0 && b.1 > 0.0;
                (both.then_some(a.0), both.then_some(b.0))
            };
            let (a, b): (Vec<_>, Vec<_>) = pairs.map(rated).unzip();
            let (first, other) = (Ratio::mean_of(a), Ratio::mean_of(b));
            let value = first.value().zip(other.value()).map(|(first, other)| other - first);
            let slice = format!("{name} − {}", models[0].name);
            let interval = bootstrap.difference(&first, &other, |mean| mean);
            let chance = PairedTest::from(bootstrap).p_value(&first, &other, |mean| mean);
            mean_rating(slice, value, first.denominator())
                .with_interval(interval)
                .with_p_value(chance)
        };
        models.iter().map(|model| &model.name).skip(1).zip(others).map(difference).collect()
    }

    fn agreement(&self, question: usize, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let units = &self.points[question];
        let coincidences = Coincidences::new(units);
        let n = coincidences.pairable();
        Level::ALL
            .into_iter()
            .map(|level| {
                let (name, slice) = match level {
                    Level::Nominal => ("krippendorff_alpha", "nominal"),
                    Level::Ordinal => ("krippendorff_alpha", "ordinal"),
                    Level::Interval => ("krippendorff_alpha", "interval"),
                };
                let value = coincidences.alpha(level, |_| 1.0);
                let interval = value.filter(|_| n >= 2).and_then(|_| {
                    bootstrap.interval(units.len(), |counts| {
                        coincidences.alpha(level, |at| f64::from(counts[at]))
                    })
                });
                Measurement::new(name, slice, value, n as u64, "items").with_interval(interval)
            })
            .collect()
    }

    fn judge(&self, question: usize, judge: &JudgeValues, bootstrap: &Bootstrap) -> JudgeResult {
        let pairs: Vec<(f64, f64)> = judge
            .values
            .iter()
            .enumerate()
            .filter_map(|(item, value)| Some(((*value)?, self.mean(question, item)?)))
            .collect();
        let measured = |name: &str, of: fn(&[(f64, f64)]) -> Option<f64>| {
            let interval = bootstrap.interval(pairs.len(), |counts| {
                let repeated = pairs.iter().zip(counts);
                let drawn: Vec<_> =
                    repeated.flat_map(|(pair, &count)| vec![*pair; count as usize]).collect();
                of(&drawn)
            });
            let value = of(&pairs);
            let n = pairs.len() as u64;
            Measurement::new(name, judge.attribute.as_str(), value, n, "items")
                .with_interval(interval.filter(|_| value.is_some()))
        };
        JudgeResult {
            judge: judge.judge.clone(),
            attribute: judge.attribute.clone(),
            pearson: measured("pearson", |pairs| {
                let (values, ratings): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
                pearson(&values, &ratings)
            }),
            spearman: measured("spearman", spearman),
        }
    }
}

fn mean_rating(slice: String, value: Option<f64>, n: f64) -> Measurement {
    Measurement::new("mean_rating", slice, value, n as u64, "prompts")
}
