//! Evaluations for tests of reports.

use std::collections::BTreeMap;

use crate::evaluation::{Changes, Interval, Measurement, Provenance};
use crate::{Digest, Evaluation, Info};

pub(super) fn info(name: &str) -> Info {
    Info::new(name, "1", Digest::of(name))
}

/// Of an evaluator that is named and judged by `judge`.
pub(super) fn evaluation(subject: &str, judge: &str, figures: Vec<Measurement>) -> Evaluation {
    Evaluation {
        subject: subject.into(),
        measurements: figures,
        provenance: Provenance {
            evaluator: Info::new("toxicity", "1", Digest::of(judge)),
            model: info(subject),
            scorer: Some(info(judge)),
            data: info("prompts"),
            settings: BTreeMap::new(),
        },
    }
}

pub(super) fn figure((name, slice): (&str, &str), value: f64) -> Measurement {
    Measurement::new(name, slice, Some(value), 10, "prompts")
}

pub(super) fn changed(
    judge: &str,
    figure: (&str, &str),
    value: f64,
    interval: Option<(f64, f64)>,
) -> Changes {
    let interval = interval.map(|(low, high)| Interval { low, high, level: 0.95 });
    Changes {
        evaluator: Info::new("toxicity", "1", Digest::of(judge)),
        measurements: vec![self::figure(figure, value).with_interval(interval)],
    }
}
