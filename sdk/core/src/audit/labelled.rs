use serde::{Deserialize, Serialize};

use super::auditor::listed_first;
use super::{AuditSettings, LabelledSet};
use crate::calibration::{FitSettings, Pair, Quality};
use crate::evaluation::{Interval, Ranking};
use crate::{Attribute, Info, Verdict};

/// A value with its bootstrap interval; either may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value; `None` where it has no meaning. Missing is never 0.
    pub value: Option<f64>,
    /// Its interval, over texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

impl Estimate {
    /// The area under the ROC curve, with its interval.
    pub(super) fn area(ranking: Option<&Ranking>, settings: &AuditSettings) -> Self {
        Self {
            value: ranking.and_then(Ranking::area),
            interval: ranking.and_then(|ranking| ranking.area_interval(&settings.bootstrap)),
        }
    }
}

/// A scorer on a set of labelled texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledAudit {
    /// The texts.
    pub data: Info,
    /// From here on a label means yes.
    pub label_threshold: f64,
    /// Each attribute that both the texts and the scorer have.
    pub attributes: Vec<AttributeAudit>,
    /// Attributes that the texts have labels for and the scorer gives no text.
    pub not_given: Vec<Attribute>,
}

/// One attribute of a scorer against labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeAudit {
    /// The attribute.
    pub attribute: Attribute,
    /// Texts with a label and a score.
    pub texts: u64,
    /// Texts with a label and no score: left out of everything else.
    pub unscored: u64,
    /// Texts whose label means yes.
    pub positives: u64,
    /// Texts whose score is at or above the threshold.
    pub called: u64,
    /// How often a yes has the higher score than a no ([`Ranking::area`]); missing with one class.
    pub auc: Estimate,
    /// [`Ranking::average_precision`]; missing without a yes.
    pub average_precision: Option<f64>,
    /// The share of what is called yes that is; missing when nothing is called so.
    pub precision: Option<f64>,
    /// The share of yeses that are called so; missing without a yes.
    pub recall: Option<f64>,
    /// Calibration and correlation with the labels as they are.
    pub quality: Quality,
}

/// Scores of texts in the order of the set.
pub(super) fn audit(
    set: &LabelledSet,
    verdicts: &[Verdict],
    settings: &AuditSettings,
) -> LabelledAudit {
    let mut attributes = Vec::new();
    let mut not_given = Vec::new();
    for attribute in set.attributes() {
        match attribute_audit(set, verdicts, &attribute, settings) {
            Some(audit) => attributes.push(audit),
            None => not_given.push(attribute),
        }
    }
    // The standard attributes in their usual order, then the others by name.
    attributes.sort_by_key(|audit| listed_first(&audit.attribute));
    LabelledAudit { data: set.info.clone(), label_threshold: set.threshold, attributes, not_given }
}

/// `None` when no labelled text has a value of the attribute.
fn attribute_audit(
    set: &LabelledSet,
    verdicts: &[Verdict],
    attribute: &Attribute,
    settings: &AuditSettings,
) -> Option<AttributeAudit> {
    let mut unscored = 0;
    let mut pairs: Vec<Pair> = Vec::new();
    for (text, verdict) in set.texts.iter().zip(verdicts) {
        let Some(&label) = text.labels.get(attribute) else { continue };
        match verdict.get(attribute) {
            Some(value) => pairs.push((f64::from(value), label)),
            None => unscored += 1,
        }
    }
    let measured = FitSettings {
        bins: settings.bins,
        threshold: settings.threshold,
        ..FitSettings::default()
    };
    let quality = Quality::of(&pairs, &measured)?;
    let is_yes = |label: f64| label >= set.threshold;
    let is_called = |value: f64| value >= settings.threshold;
    let count = |is: &dyn Fn(&Pair) -> bool| pairs.iter().filter(|pair| is(pair)).count() as u64;
    let positives = count(&|pair| is_yes(pair.1));
    let called = count(&|pair| is_called(pair.0));
    let both = count(&|pair| is_yes(pair.1) && is_called(pair.0));
    let share = |of: u64| (of > 0).then(|| both as f64 / of as f64);
    let ranking = Ranking::new(pairs.iter().map(|&(value, label)| (value, is_yes(label))));
    Some(AttributeAudit {
        attribute: attribute.clone(),
        texts: pairs.len() as u64,
        unscored,
        positives,
        called,
        auc: Estimate::area(ranking.as_ref(), settings),
        average_precision: ranking.as_ref().and_then(Ranking::average_precision),
        precision: share(called),
        recall: share(positives),
        quality,
    })
}
