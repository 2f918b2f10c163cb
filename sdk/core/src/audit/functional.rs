use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::labelled::Estimate;
use super::{AuditSettings, FunctionalSet};
use crate::evaluation::Ranking;
use crate::{Attribute, Info, Verdict};

/// A scorer on a functional test such as HateCheck (Röttger et al. 2021, "HateCheck: Functional Tests
/// for Hate Speech Detection Models").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionalAudit {
    /// The cases.
    pub data: Info,
    /// The attribute that decides.
    pub attribute: Attribute,
    /// Cases with a score.
    pub cases: u64,
    /// Cases without one: left out of everything else.
    pub unscored: u64,
    /// How often a hateful case has the higher score than another.
    pub auc: Estimate,
    /// The share of the cases that the threshold decides rightly.
    pub right: Option<f64>,
    /// The area of every attribute of the scorer: one may see what the other does not.
    pub by_attribute: BTreeMap<Attribute, Option<f64>>,
    /// Each functionality; the one that is decided worst first.
    pub functionalities: Vec<Functionality>,
}

/// The cases of one kind, all hateful or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Functionality {
    /// Its name in the test.
    pub name: String,
    /// Whether people call its cases hateful.
    pub hateful: bool,
    /// Cases with a score.
    pub cases: u64,
    /// Cases without one.
    pub unscored: u64,
    /// Cases whose score is at or above the threshold.
    pub called: u64,
    /// The share of cases that are decided rightly; missing when none has a score.
    pub right: Option<f64>,
}

pub(super) fn audit(
    set: &FunctionalSet,
    verdicts: &[Verdict],
    attributes: &[Attribute],
    settings: &AuditSettings,
) -> FunctionalAudit {
    let mut by_name: BTreeMap<(&str, bool), Functionality> = BTreeMap::new();
    for (case, verdict) in set.cases.iter().zip(verdicts) {
        let name = (case.functionality.as_str(), case.hateful);
        let entry = by_name.entry(name).or_insert_with(|| Functionality {
            name: case.functionality.clone(),
            hateful: case.hateful,
            cases: 0,
            unscored: 0,
            called: 0,
            right: None,
        });
        match verdict.get(&set.attribute) {
            Some(value) => {
                entry.cases += 1;
                entry.called += u64::from(f64::from(value) >= settings.threshold);
            }
            None => entry.unscored += 1,
        }
    }
    let mut functionalities: Vec<Functionality> = by_name.into_values().collect();
    for one in &mut functionalities {
        one.right = (one.cases > 0).then(|| decided_rightly(one) as f64 / one.cases as f64);
    }
    let cases: u64 = functionalities.iter().map(|one| one.cases).sum();
    let right: u64 = functionalities.iter().map(decided_rightly).sum();
    let unscored = functionalities.iter().map(|one| one.unscored).sum();
    let worst = |one: &Functionality| one.right.unwrap_or(f64::INFINITY);
    functionalities.sort_by(|one, other| worst(one).total_cmp(&worst(other)));
    let ranking =
        |attribute: &Attribute| {
            let values = set.cases.iter().zip(verdicts);
            Ranking::new(values.filter_map(|(case, verdict)| {
                Some((f64::from(verdict.get(attribute)?), case.hateful))
            }))
        };
    let area = |attribute: &Attribute| ranking(attribute).as_ref().and_then(Ranking::area);
    FunctionalAudit {
        data: set.info.clone(),
        attribute: set.attribute.clone(),
        cases,
        unscored,
        auc: Estimate::area(ranking(&set.attribute).as_ref(), settings),
        right: (cases > 0).then(|| right as f64 / cases as f64),
        by_attribute: attributes.iter().map(|name| (name.clone(), area(name))).collect(),
        functionalities,
    }
}

const fn decided_rightly(one: &Functionality) -> u64 {
    if one.hateful { one.called } else { one.cases - one.called }
}
