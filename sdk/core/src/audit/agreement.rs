use serde::{Deserialize, Serialize};

use super::AuditSettings;
use crate::calibration::{Pair, spearman};
use crate::evaluation::pearson;
use crate::{Attribute, Digest, Info, Verdict};

/// How far two scorers agree on the texts of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The texts.
    pub data: Info,
    /// Each attribute that both give.
    pub attributes: Vec<AttributeAgreement>,
}

/// How far two scorers agree on one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeAgreement {
    /// The attribute.
    pub attribute: Attribute,
    /// Texts that both score.
    pub texts: u64,
    /// Texts that one of them alone scores: left out of everything else.
    pub scored_by_one: u64,
    /// The mean score of the audited scorer, and of the other.
    pub means: (f64, f64),
    /// Pearson's correlation; `None` where one side does not vary.
    pub pearson: Option<f64>,
    /// Spearman's.
    pub spearman: Option<f64>,
    /// The share of texts that both put on the same side of the threshold.
    pub same_side: f64,
    /// The texts on which they differ most, the furthest first.
    pub differences: Vec<Difference>,
}

/// A text on which two scorers differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Its digest: two audits speak of the same text without quoting it.
    pub digest: Digest,
    /// What the audited scorer says, and what the other says.
    pub scores: (f64, f64),
    /// The text, where the settings ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A text with both verdicts.
type Judged<'a> = (u64, &'a str, &'a Verdict, &'a Verdict);

/// `None` when there is no attribute that both give a text.
pub(super) fn audit<'a>(
    data: &Info,
    attributes: &[Attribute],
    judged: impl Iterator<Item = Judged<'a>>,
    settings: &AuditSettings,
) -> Option<Agreement> {
    let judged: Vec<Judged<'a>> = judged.collect();
    let attributes: Vec<AttributeAgreement> = attributes
        .iter()
        .filter_map(|attribute| attribute_agreement(attribute, &judged, settings))
        .collect();
    (!attributes.is_empty()).then(|| Agreement { data: data.clone(), attributes })
}

fn attribute_agreement(
    attribute: &Attribute,
    judged: &[Judged<'_>],
    settings: &AuditSettings,
) -> Option<AttributeAgreement> {
    let mut both: Vec<(u64, &str, Pair)> = Vec::new();
    let mut scored_by_one = 0;
    for &(line, text, one, other) in judged {
        match (one.get(attribute), other.get(attribute)) {
            (Some(one), Some(other)) => both.push((line, text, (one.into(), other.into()))),
            (None, None) => {}
            _ => scored_by_one += 1,
        }
    }
    let pairs: Vec<Pair> = both.iter().map(|(.., pair)| *pair).collect();
    let (ones, others): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let count = pairs.len() as f64;
    if pairs.is_empty() {
        return None;
    }
    let over = |value: f64| value >= settings.threshold;
    let same = pairs.iter().filter(|(one, other)| over(*one) == over(*other)).count();
    Some(AttributeAgreement {
        attribute: attribute.clone(),
        texts: pairs.len() as u64,
        scored_by_one,
        means: (ones.iter().sum::<f64>() / count, others.iter().sum::<f64>() / count),
        pearson: pearson(&ones, &others),
        spearman: spearman(&pairs),
        same_side: same as f64 / count,
        differences: furthest(both, settings),
    })
}

/// The texts that differ most, each text once.
fn furthest(mut both: Vec<(u64, &str, Pair)>, settings: &AuditSettings) -> Vec<Difference> {
    let distance = |(one, other): Pair| (one - other).abs();
    // Stable: of equal distances, the first in the file.
    both.sort_by(|one, other| distance(other.2).total_cmp(&distance(one.2)));
    let mut differences: Vec<Difference> = Vec::new();
    for (line, text, scores) in both {
        if differences.len() == settings.differences || scores.0 == scores.1 {
            break;
        }
        let digest = Digest::of(text);
        if differences.iter().all(|known| known.digest != digest) {
            let text = settings.quote.then(|| text.to_owned());
            differences.push(Difference { line, digest, scores, text });
        }
    }
    differences
}
