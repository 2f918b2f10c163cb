use serde::{Deserialize, Serialize};

use super::{TaskItem, TaskMetric};
use crate::causal_lm::ContinuationLikelihood;
use crate::evaluation::{Bootstrap, Interval, Measurement, Ratio};

/// How a model answered an item: a row of a part, and all that its numbers are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The item's number, from 0.
    pub(super) id: u64,
    /// The line of the file it is from.
    pub(super) line: u64,
    /// The number of the right choice.
    right: usize,
    /// Of every choice: the sum of its tokens' natural log-probabilities.
    log_probs: Vec<f64>,
    /// Whether greedy decoding would write it.
    is_greedy: Vec<bool>,
    characters: Vec<u32>,
    bytes: Vec<u32>,
    /// Tokens that were cut off the beginning of the longest context.
    cut: usize,
}

impl Answer {
    pub(super) fn new(id: u64, item: &TaskItem, answers: &[ContinuationLikelihood]) -> Self {
        Self {
            id,
            line: item.line,
            right: item.right,
            log_probs: answers.iter().map(|answer| answer.log_prob).collect(),
            is_greedy: answers.iter().map(|answer| answer.is_greedy).collect(),
            characters: item.characters.clone(),
            bytes: item.bytes.clone(),
            cut: answers.iter().map(|answer| answer.cut).max().unwrap_or(0),
        }
    }

    /// Whether the right choice has the highest log-probability when each is divided by its size.
    fn is_right(&self, sizes: impl Iterator<Item = f64>) -> bool {
        let mut best: Option<(usize, f64)> = None;
        for (number, (log_prob, size)) in self.log_probs.iter().zip(sizes).enumerate() {
            let value = log_prob / size;
            // Of equals the first counts, as in `numpy.argmax`.
            if best.is_none_or(|(_, highest)| value > highest) {
                best = Some((number, value));
            }
        }
        best.is_some_and(|(number, _)| number == self.right)
    }
}

/// What the answers amount to, a few numbers an item.
#[derive(Debug)]
pub(super) struct Outcomes {
    has_choices: bool,
    metrics: Vec<(TaskMetric, Vec<f64>)>,
    /// 1 for an item whose context did not fit, else 0.
    cut: Vec<f64>,
}

impl Outcomes {
    pub(super) fn new(metrics: &[TaskMetric], has_choices: bool) -> Self {
        let metrics = metrics.iter().map(|&metric| (metric, Vec::new())).collect();
        Self { has_choices, metrics, cut: Vec::new() }
    }

    pub(super) fn push(&mut self, answer: &Answer) {
        let sizes = |sizes: &[u32]| sizes.iter().copied().map(f64::from).collect::<Vec<_>>();
        for (metric, values) in &mut self.metrics {
            let right = match metric {
                TaskMetric::Perplexity => {
                    values.push(-answer.log_probs.iter().sum::<f64>());
                    continue;
                }
                TaskMetric::Accuracy if self.has_choices => {
                    answer.is_right(answer.log_probs.iter().map(|_| 1.0))
                }
                TaskMetric::Accuracy => answer.is_greedy.iter().all(|&greedy| greedy),
                TaskMetric::AccuracyPerCharacter => {
                    answer.is_right(sizes(&answer.characters).into_iter())
                }
                TaskMetric::AccuracyPerByte => answer.is_right(sizes(&answer.bytes).into_iter()),
            };
            values.push(f64::from(u8::from(right)));
        }
        self.cut.push(f64::from(u8::from(answer.cut > 0)));
    }

    /// Every metric with its standard error and interval, and the share of cut contexts.
    pub(super) fn measurements(&self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let ratios: Vec<Ratio> = self.metrics.iter().map(|(_, values)| mean_of(values)).collect();
        let intervals = bootstrap.intervals(&ratios.iter().collect::<Vec<_>>());
        let metrics = self.metrics.iter().zip(&ratios).zip(intervals);
        let mut measurements: Vec<Measurement> = metrics
            .map(|(((metric, values), ratio), interval)| {
                let value = ratio.value().map(|mean| of_mean(*metric, mean));
                let error = standard_error(values).map(|error| match metric {
                    // The delta method: the derivative of exp is exp.
                    TaskMetric::Perplexity => error * value.unwrap_or(0.0),
                    _ => error,
                });
                let finite = |value: &f64| value.is_finite();
                Measurement::new(
                    metric.as_str(),
                    "all",
                    value.filter(finite),
                    self.items(),
                    "items",
                )
                .with_interval(interval.and_then(|interval| transformed(*metric, interval)))
                .with_standard_error(error.filter(finite))
            })
            .collect();
        let cut = mean_of(&self.cut).value();
        measurements.push(Measurement::new("cut_context_rate", "all", cut, self.items(), "items"));
        measurements
    }

    /// What changed from `self` to `other`, on the same items, with paired intervals.
    pub(super) fn changes(&self, other: &Self, bootstrap: &Bootstrap) -> Vec<Measurement> {
        let both = self.metrics.iter().zip(&other.metrics);
        both.map(|((metric, base), (_, other))| {
            let (base, other) = (mean_of(base), mean_of(other));
            let of_mean = |mean| of_mean(*metric, mean);
            let change =
                base.value().zip(other.value()).map(|(base, other)| of_mean(other) - of_mean(base));
            let interval = bootstrap.difference(&base, &other, of_mean);
            let change = change.filter(|value| value.is_finite());
            Measurement::new(metric.as_str(), "all", change, self.items(), "items")
                .with_interval(interval)
        })
        .collect()
    }

    fn items(&self) -> u64 {
        self.cut.len() as u64
    }
}

fn mean_of(values: &[f64]) -> Ratio {
    Ratio::mean_of(values.iter().copied().map(Some))
}

/// From the mean over items to the metric; monotone, so that an interval's ends stay its ends.
fn of_mean(metric: TaskMetric, mean: f64) -> f64 {
    match metric {
        TaskMetric::Perplexity => mean.exp(),
        _ => mean,
    }
}

fn transformed(metric: TaskMetric, interval: Interval) -> Option<Interval> {
    let (low, high) = (of_mean(metric, interval.low), of_mean(metric, interval.high));
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high, ..interval })
}

/// The sample standard deviation (n - 1) over √n (`mean_stderr` of lm-evaluation-harness); `None` for
/// fewer than two values.
fn standard_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (n - 1.0)).sqrt() / n.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(log_probs: &[f64], characters: &[u32], bytes: &[u32], right: usize) -> Answer {
        Answer {
            id: 0,
            line: 1,
            right,
            log_probs: log_probs.to_vec(),
            is_greedy: vec![right == 0; log_probs.len()],
            characters: characters.to_vec(),
            bytes: bytes.to_vec(),
            cut: right,
        }
    }

    const CHOICES: [TaskMetric; 3] =
        [TaskMetric::Accuracy, TaskMetric::AccuracyPerCharacter, TaskMetric::AccuracyPerByte];

    fn values(outcomes: &Outcomes) -> Vec<f64> {
        let measurements = outcomes.measurements(&Bootstrap::default());
        measurements.iter().map(|measurement| measurement.value.unwrap()).collect()
    }

    #[test]
    fn length_decides_which_choice_is_the_best() {
        let mut outcomes = Outcomes::new(&CHOICES, true);
        // Per character -2, -1, -1.5; per byte -2, -1, -0.5.
        outcomes.push(&answer(&[-2.0, -5.0, -3.0], &[1, 5, 2], &[1, 5, 6], 1));
        assert_eq!(values(&outcomes), [0.0, 1.0, 0.0, 1.0]);
        // Of equals the first counts.
        let mut outcomes = Outcomes::new(&CHOICES, true);
        outcomes.push(&answer(&[-2.0, -2.0], &[1, 1], &[1, 1], 1));
        outcomes.push(&answer(&[-2.0, -2.0], &[1, 1], &[1, 1], 0));
        assert_eq!(values(&outcomes), [0.5, 0.5, 0.5, 0.5]);
    }

    /// `lm_eval.api.metrics`: `mean_stderr([1, 1, 0, 1])` is 0.25, `perplexity([-1, -2, -4.5, -0.5])` is
    /// exp(2).
    #[test]
    fn standard_errors_are_those_of_the_harness() {
        let metrics = [TaskMetric::Accuracy, TaskMetric::Perplexity];
        let mut outcomes = Outcomes::new(&metrics, false);
        for (log_prob, right) in [(-1.0, 0), (-2.0, 0), (-4.5, 1), (-0.5, 0)] {
            outcomes.push(&answer(&[log_prob], &[1], &[1], right));
        }
        let measurements = outcomes.measurements(&Bootstrap::default());
        assert_eq!(measurements[0].value, Some(0.75));
        assert!((measurements[0].standard_error.unwrap() - 0.25).abs() < 1e-12);
        assert!((measurements[1].value.unwrap() - 2.0_f64.exp()).abs() < 1e-12);
        let interval = measurements[1].interval.unwrap();
        assert!(interval.low < 2.0_f64.exp() && 2.0_f64.exp() < interval.high);
        let one = Outcomes { cut: vec![0.0], ..Outcomes::new(&[], true) };
        assert_eq!(one.measurements(&Bootstrap::default())[0].n, 1);
        assert_eq!(standard_error(&[1.0]), None);
    }

    #[test]
    fn nothing_answered_has_no_value() {
        let outcomes = Outcomes::new(&CHOICES, true);
        let measurements = outcomes.measurements(&Bootstrap::default());
        assert!(measurements.iter().all(|m| m.value.is_none() && m.standard_error.is_none()));
    }

    #[test]
    fn a_change_is_paired() {
        let [mut base, mut other] = [(); 2].map(|()| Outcomes::new(&CHOICES[..1], true));
        for right in [0, 1, 0, 0] {
            base.push(&answer(&[-1.0, -2.0], &[1, 1], &[1, 1], right));
            other.push(&answer(&[-1.0, -2.0], &[1, 1], &[1, 1], 0));
        }
        let changes = base.changes(&other, &Bootstrap::default());
        assert_eq!((changes[0].value, changes[0].n), (Some(0.25), 4));
        let same = base.changes(&base, &Bootstrap::default());
        assert_eq!(same[0].interval.map(|i| (i.low, i.high)), Some((0.0, 0.0)));
    }
}
