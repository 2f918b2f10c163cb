use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Ceilings, ModelSize};
use crate::Info;

/// How fast one kind of work is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkFigures {
    /// What was done.
    pub name: String,
    /// What is counted: `tokens` or `texts`.
    pub unit: String,
    /// So many of them a second.
    pub rate: f64,
    /// The share of the ceiling of matrix products; `None` without one or without the model's size, and for
    /// scorers, whose operations nobody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_operations: Option<f64>,
    /// The share of the ceiling of memory that reading the weights takes. Of decoding alone, where every
    /// step reads all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_bytes: Option<f64>,
    /// The most memory that the process held meanwhile, in bytes, weights included; not that of a GPU.
    /// `None` where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
}

/// What a benchmark found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkFigures {
    /// The model, with the framework in place of a version, and on what it computed where there is a choice.
    pub model: Info,
    /// Its size; `None` where its files are in a layout of the framework's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<ModelSize>,
    /// The scorer.
    pub scorer: Info,
    /// What bounds the framework here, where it measures that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,
    /// Work by work.
    pub works: Vec<WorkFigures>,
}

/// So many units in a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) units: u64,
    pub(super) time: Duration,
}

impl Timed {
    pub(super) fn rate(self) -> f64 {
        self.units as f64 / self.time.max(Duration::from_nanos(1)).as_secs_f64()
    }
}

/// The rate in the middle, of several times the same work.
pub(super) fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What a unit of work takes of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) operations: Option<f64>,
    pub(super) bytes: Option<f64>,
}

impl WorkFigures {
    pub(super) fn new(
        (name, unit): (impl Into<String>, &str),
        rate: f64,
        cost: Cost,
        ceilings: Option<Ceilings>,
    ) -> Self {
        let share = |cost: Option<f64>, ceiling: fn(Ceilings) -> f64| {
            cost.zip(ceilings).map(|(cost, ceilings)| rate * cost / ceiling(ceilings))
        };
        Self {
            name: name.into(),
            unit: unit.to_owned(),
            rate,
            of_operations: share(cost.operations, |ceilings| ceilings.operations),
            of_bytes: share(cost.bytes, |ceilings| ceilings.bytes),
            peak_memory: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_the_machine_can_do() {
        let timed = Timed { units: 50, time: Duration::from_millis(500) };
        let ceilings = Some(Ceilings { operations: 1000.0, bytes: 400.0 });
        let cost = Cost { operations: Some(4.0), bytes: Some(1.0) };
        let figures = WorkFigures::new(("work", "tokens"), timed.rate(), cost, ceilings);
        assert_eq!(figures.rate, 100.0);
        assert_eq!((figures.of_operations, figures.of_bytes), (Some(0.4), Some(0.25)));
        let unknown = WorkFigures::new(("work", "tokens"), 1.0, Cost::default(), ceilings);
        assert_eq!((unknown.of_operations, unknown.of_bytes), (None, None));
        let alone = WorkFigures::new(("work", "tokens"), 1.0, cost, None);
        assert_eq!(alone.of_operations, None);
    }

    #[test]
    fn an_outlier_does_not_count() {
        assert_eq!(median(vec![5.0, 1.0, 100.0]), 5.0);
    }
}
