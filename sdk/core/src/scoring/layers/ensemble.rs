use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::calls;
use crate::{
    Attribute, DigestBuilder, Error, ErrorKind, Info, Result, Sample, ScorerCapabilities, Scores,
    ToxicityScorer, Unscored, Verdict,
};

/// What the members' values make of an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combination {
    /// Their mean, weighted by the members' weights.
    #[default]
    Mean,
    /// The highest.
    Max,
}

/// Several scorers as one.
///
/// Only the members that give an attribute a value count for it: one that abstains does not count as
/// 0, and not as harmless. A text that no member scores is unscored for the first member's reason.
/// The members are asked at the same time; one that fails fails the call.
#[derive(Clone, Debug)]
pub struct Ensemble {
    members: Vec<(Arc<dyn ToxicityScorer>, f64)>,
    combination: Combination,
    info: Info,
    capabilities: ScorerCapabilities,
}

impl Ensemble {
    /// Members of equal weight.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(
        members: impl IntoIterator<Item = Arc<dyn ToxicityScorer>>,
        combination: Combination,
    ) -> Result<Self> {
        Self::weighted(members.into_iter().map(|member| (member, 1.0)), combination)
    }

    /// Members and their weights, which [`Combination::Max`] does not read.
    ///
    /// # Errors
    /// When there is no member, or a weight is not a number above 0.
    pub fn weighted(
        members: impl IntoIterator<Item = (Arc<dyn ToxicityScorer>, f64)>,
        combination: Combination,
    ) -> Result<Self> {
        let members: Vec<_> = members.into_iter().collect();
        let refuse = |key: &'static str, message: String| {
            Err(Error::new(ErrorKind::InvalidConfig, "scoring", "make an ensemble", message)
                .with_key(key))
        };
        if members.is_empty() {
            return refuse("members", "there is none".into());
        }
        if let Some((_, weight)) = members.iter().find(|(_, w)| !(*w > 0.0 && w.is_finite())) {
            return refuse("weights", format!("{weight} is not a number above 0"));
        }
        let mut digest = DigestBuilder::new();
        digest.update("ensemble").update(format!("{combination:?}"));
        let mut attributes: Vec<Attribute> = Vec::new();
        for (member, weight) in &members {
            digest.update(member.info().digest.as_str()).update(weight.to_le_bytes());
            for attribute in &member.capabilities().attributes {
                if !attributes.contains(attribute) {
                    attributes.push(attribute.clone());
                }
            }
        }
        let names: Vec<_> = members.iter().map(|(member, _)| member.info().name.as_str()).collect();
        let of = match combination {
            Combination::Mean => "mean",
            Combination::Max => "maximum",
        };
        let name = format!("{of} of {}", names.join(", "));
        let info = Info::new(name, env!("CARGO_PKG_VERSION"), digest.finish());
        let capabilities = ScorerCapabilities::new(attributes);
        Ok(Self { members, combination, info, capabilities })
    }

    /// One verdict of the members'.
    fn combine(&self, verdicts: &[&Verdict]) -> Result<Verdict> {
        let values = |attribute: &Attribute| -> Vec<(f64, f64)> {
            let weights = self.members.iter().map(|(_, weight)| *weight);
            verdicts
                .iter()
                .zip(weights)
                .filter_map(|(verdict, w)| verdict.get(attribute).map(|v| (f64::from(v), w)))
                .collect()
        };
        let value = |attribute: &Attribute| {
            let values = values(attribute);
            let first = values.first()?.0;
            Some(match self.combination {
                Combination::Max => values.iter().fold(first, |most, (value, _)| most.max(*value)),
                Combination::Mean => {
                    let weight: f64 = values.iter().map(|(_, weight)| weight).sum();
                    values.iter().map(|(value, w)| value * w).sum::<f64>() / weight
                }
            })
        };
        let attributes = self.capabilities.attributes.iter();
        let combined: Vec<_> = attributes
            .filter_map(|attribute| Some((attribute.clone(), value(attribute)?.min(1.0) as f32)))
            .collect();
        if !combined.is_empty() {
            return Scores::new(combined).map(Verdict::Scored);
        }
        let reason = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Unscored(reason) => Some(reason.clone()),
            Verdict::Scored(_) => None,
        });
        let none = || Unscored::Abstained("no member lists what it scored".into());
        Ok(Verdict::Unscored(reason.unwrap_or_else(none)))
    }
}

#[async_trait]
impl ToxicityScorer for Ensemble {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let asked = self.members.iter().map(|(member, _)| calls::score(&**member, samples));
        let answers: Vec<Vec<Verdict>> = try_join_all(asked).await?;
        (0..samples.len())
            .map(|index| {
                let verdicts: Vec<_> =
                    answers.iter().filter_map(|answer| answer.get(index)).collect();
                self.combine(&verdicts)
            })
            .collect()
    }
}
