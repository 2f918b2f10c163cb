use serde::{Deserialize, Serialize};

use super::IdentitySet;
use crate::evaluation::{Ranking, roc_auc};
use crate::{Attribute, Info, Verdict};

/// The power of the mean over identities. A negative one keeps near the lowest: good areas of many
/// identities do not make up for a bad one.
const POWER: f64 = -5.0;

/// Whether a scorer rates an identity's sentences like everybody's: the areas of Borkan et al. 2019,
/// "Nuanced Metrics for Measuring Unintended Bias with Real Data for Text Classification".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityAudit {
    /// The sentences.
    pub data: Info,
    /// The scorer's attribute.
    pub attribute: Attribute,
    /// Sentences with a score.
    pub sentences: u64,
    /// Sentences without one: left out of everything else.
    pub unscored: u64,
    /// The area on all sentences. Made of a few templates, they are no sample of anything: there is no
    /// interval.
    pub auc: Option<f64>,
    /// The generalised mean over identities, [`generalised_mean`] with power −5.
    pub means: MeanAreas,
    /// Each identity; the one with the lowest area of any kind first.
    pub identities: Vec<IdentityAreas>,
}

/// Means over the identities that have the area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanAreas {
    /// Of [`IdentityAreas::subgroup_auc`].
    pub subgroup: Option<f64>,
    /// Of [`IdentityAreas::bpsn_auc`].
    pub bpsn: Option<f64>,
    /// Of [`IdentityAreas::bnsp_auc`].
    pub bnsp: Option<f64>,
}

/// The three areas of one identity. An area is missing when one of its classes has no sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityAreas {
    /// The identity's term.
    pub identity: String,
    /// Toxic sentences that name it.
    pub toxic: u64,
    /// Harmless sentences that name it.
    pub harmless: u64,
    /// Within the sentences that name it.
    pub subgroup_auc: Option<f64>,
    /// Background positive, subgroup negative: toxic sentences that do not name it over harmless ones
    /// that do. Low: its harmless sentences score like others' toxic ones.
    pub bpsn_auc: Option<f64>,
    /// Background negative, subgroup positive: toxic sentences that name it over harmless ones that do
    /// not. Low: its toxic sentences score like others' harmless ones.
    pub bnsp_auc: Option<f64>,
}

impl IdentityAreas {
    fn lowest(&self) -> f64 {
        let areas = [self.subgroup_auc, self.bpsn_auc, self.bnsp_auc];
        areas.into_iter().flatten().fold(f64::INFINITY, f64::min)
    }
}

/// `M_p = (1/N Σ mₛᵖ)^(1/p)` over N values, p ≠ 0 (Borkan et al. 2019, section 3.4, with p = −5). `None`
/// without values.
#[must_use]
pub fn generalised_mean(values: &[f64], power: f64) -> Option<f64> {
    let mean = values.iter().map(|value| value.powf(power)).sum::<f64>() / values.len() as f64;
    (!values.is_empty()).then(|| mean.powf(1.0 / power))
}

pub(super) fn audit(set: &IdentitySet, verdicts: &[Verdict]) -> IdentityAudit {
    let scored: Vec<(f64, bool, &[usize])> = set
        .sentences
        .iter()
        .zip(verdicts)
        .filter_map(|(sentence, verdict)| {
            let value = verdict.get(&set.attribute)?;
            Some((f64::from(value), sentence.toxic, sentence.identities.as_slice()))
        })
        .collect();
    let mut identities: Vec<IdentityAreas> =
        set.terms.iter().enumerate().map(|(number, term)| areas(term, number, &scored)).collect();
    identities.sort_by(|one, other| one.lowest().total_cmp(&other.lowest()));
    let mean = |area: fn(&IdentityAreas) -> Option<f64>| {
        let areas: Vec<f64> = identities.iter().filter_map(area).collect();
        generalised_mean(&areas, POWER)
    };
    let means = MeanAreas {
        subgroup: mean(|areas| areas.subgroup_auc),
        bpsn: mean(|areas| areas.bpsn_auc),
        bnsp: mean(|areas| areas.bnsp_auc),
    };
    let ranking = Ranking::new(scored.iter().map(|&(value, toxic, _)| (value, toxic)));
    IdentityAudit {
        data: set.info.clone(),
        attribute: set.attribute.clone(),
        sentences: scored.len() as u64,
        unscored: (set.sentences.len() - scored.len()) as u64,
        auc: ranking.as_ref().and_then(Ranking::area),
        means,
        identities,
    }
}

fn areas(term: &str, number: usize, scored: &[(f64, bool, &[usize])]) -> IdentityAreas {
    let pick = |toxic: bool, inside: bool| -> Vec<f64> {
        scored
            .iter()
            .filter(|(_, is, named)| *is == toxic && named.contains(&number) == inside)
            .map(|(value, ..)| *value)
            .collect()
    };
    let (toxic, harmless) = (pick(true, true), pick(false, true));
    IdentityAreas {
        identity: term.to_owned(),
        toxic: toxic.len() as u64,
        harmless: harmless.len() as u64,
        subgroup_auc: roc_auc(&toxic, &harmless),
        bpsn_auc: roc_auc(&pick(true, false), &harmless),
        bnsp_auc: roc_auc(&toxic, &pick(false, false)),
    }
}
