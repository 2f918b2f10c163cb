use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cut, Outcome, Reason, Selection, reason};
use crate::Verdict;

/// What a selection did, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionSummary {
    /// The rule.
    pub selection: Selection,
    /// How many documents there were.
    pub documents: u64,
    /// How many of them could be ranked: not filtered, scored, long enough, not a duplicate.
    pub eligible: u64,
    /// How many were kept.
    pub kept: u64,
    /// How many were dropped.
    pub dropped: u64,
    /// The value at which the rank cuts: none above it was kept.
    pub cut: f32,
    /// Mean value of the kept documents.
    pub mean_kept: Option<f64>,
    /// Mean value of those dropped documents that have one.
    pub mean_dropped: Option<f64>,
    /// How many dropped documents have a value: what `mean_dropped` is a mean of.
    pub dropped_with_value: u64,
    /// How many documents were dropped for which reason.
    pub reasons: BTreeMap<String, u64>,
    /// How many documents which filter dropped: the first that did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filtered: BTreeMap<String, u64>,
    /// How many documents have no scores for which reason, dropped by a filter or not.
    pub unscored: BTreeMap<String, u64>,
}

/// A summary under way.
#[derive(Debug)]
pub(super) struct Tally {
    kept: Mean,
    dropped: Mean,
    documents: u64,
    reasons: BTreeMap<&'static str, u64>,
    filtered: BTreeMap<String, u64>,
    unscored: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.count += 1;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            kept: Mean::default(),
            dropped: Mean::default(),
            documents: 0,
            reasons: BTreeMap::new(),
            filtered: BTreeMap::new(),
            unscored: BTreeMap::new(),
        }
    }

    pub(super) fn count(&mut self, verdict: &Verdict, outcome: &Outcome) {
        self.documents += 1;
        if let Verdict::Unscored(why) = verdict {
            *self.unscored.entry(reason::kind_of(why)).or_default() += 1;
        }
        match outcome {
            Outcome::Kept(value) => self.kept.add(*value),
            Outcome::Dropped(value, reason) => {
                *self.reasons.entry(reason.as_str()).or_default() += 1;
                if let Reason::Filtered { by, .. } = reason {
                    *self.filtered.entry(by.clone()).or_default() += 1;
                }
                if let Some(value) = value {
                    self.dropped.add(*value);
                }
            }
        }
    }

    /// Whether this was the corpus that the cut was found in.
    pub(super) fn agrees(&self, cut: &Cut) -> bool {
        let ranked = |reason: &Reason| self.reasons.get(reason.as_str()).copied().unwrap_or(0);
        let eligible = self.kept.count + ranked(&Reason::AboveCut) + ranked(&Reason::OverCap);
        self.documents == cut.documents && eligible == cut.eligible
    }

    pub(super) fn summary(self, selection: &Selection, cut: &Cut) -> SelectionSummary {
        let named = |counts: BTreeMap<&'static str, u64>| {
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
        };
        SelectionSummary {
            selection: selection.clone(),
            documents: self.documents,
            eligible: cut.eligible,
            kept: self.kept.count,
            dropped: self.documents - self.kept.count,
            cut: cut.value,
            mean_kept: self.kept.value(),
            mean_dropped: self.dropped.value(),
            dropped_with_value: self.dropped.count,
            reasons: named(self.reasons),
            filtered: self.filtered,
            unscored: named(self.unscored),
        }
    }
}
