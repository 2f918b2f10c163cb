//! Evaluations for tests of tables.

use std::collections::BTreeMap;

use super::{Evaluation, Interval, Measurement, Provenance};
use crate::{Digest, Info};

pub(super) fn evaluation(subject: &str, judge: &str, cells: &[Measurement]) -> Evaluation {
    let info = |name: &str| Info::new(name, "1", Digest::of(name));
    Evaluation {
        subject: subject.into(),
        measurements: cells.to_vec(),
        provenance: Provenance {
            evaluator: Info::new("e", "1", Digest::of(judge)),
            model: info(subject),
            scorer: Some(info(judge)),
            data: info("d"),
            settings: BTreeMap::new(),
        },
    }
}

pub(super) fn cell(
    name: &str,
    value: Option<f64>,
    interval: Option<(f64, f64)>,
    n: u64,
) -> Measurement {
    Measurement::new(name, "full", value, n, "prompts")
        .with_interval(interval.map(|(low, high)| Interval { low, high, level: 0.95 }))
}
