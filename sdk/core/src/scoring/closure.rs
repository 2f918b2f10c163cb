//! Closures where a trait is expected.

use std::fmt;

use async_trait::async_trait;

use crate::{
    Attribute, Decision, Digest, Filter, Info, Result, Sample, ScorerCapabilities, Scores,
    ToxicityScorer, Unscored, Verdict,
};

/// A scorer of one attribute out of a function from text to a value in [0, 1]; `None` abstains.
///
/// The name stands for the function in caches and reports: change it when the function changes.
///
/// ```
/// use detoxlm_core::{Attribute, scorer_fn};
/// let shouting = scorer_fn("shouting-1", Attribute::INSULT, |text| {
///     let letters = text.chars().filter(|c| c.is_alphabetic()).count();
///     (letters > 0).then(|| {
///         text.chars().filter(|c| c.is_uppercase()).count() as f32 / letters as f32
///     })
/// });
/// ```
pub fn scorer_fn<F>(name: impl Into<String>, attribute: Attribute, score: F) -> impl ToxicityScorer
where
    F: Fn(&str) -> Option<f32> + Send + Sync + 'static,
{
    ScorerFn {
        info: named(name),
        capabilities: ScorerCapabilities::new([attribute.clone()]),
        attribute,
        score,
    }
}

/// A filter out of a function from text to a decision. The name stands for the function in caches
/// and reports: change it when the function changes.
pub fn filter_fn<F>(name: impl Into<String>, decide: F) -> impl Filter
where
    F: Fn(&str) -> Decision + Send + Sync + 'static,
{
    FilterFn { info: named(name), decide }
}

fn named(name: impl Into<String>) -> Info {
    let name = name.into();
    let digest = Digest::of(&name);
    Info::new(name, "closure", digest)
}

struct ScorerFn<F> {
    info: Info,
    capabilities: ScorerCapabilities,
    attribute: Attribute,
    score: F,
}

impl<F> fmt::Debug for ScorerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScorerFn").field("info", &self.info).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F> ToxicityScorer for ScorerFn<F>
where
    F: Fn(&str) -> Option<f32> + Send + Sync + 'static,
{
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        samples
            .iter()
            .map(|sample| {
                if sample.is_blank() {
                    return Ok(Verdict::Unscored(Unscored::Blank));
                }
                match (self.score)(&sample.text) {
                    Some(value) => Ok(Scores::new([(self.attribute.clone(), value)])?.into()),
                    None => {
                        let why = format!("{} gave no value", self.info.name);
                        Ok(Verdict::Unscored(Unscored::Abstained(why)))
                    }
                }
            })
            .collect()
    }
}

struct FilterFn<F> {
    info: Info,
    decide: F,
}

impl<F> fmt::Debug for FilterFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterFn").field("info", &self.info).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F> Filter for FilterFn<F>
where
    F: Fn(&str) -> Decision + Send + Sync + 'static,
{
    fn info(&self) -> &Info {
        &self.info
    }

    async fn decide(&self, samples: &[Sample]) -> Result<Vec<Decision>> {
        Ok(samples.iter().map(|sample| (self.decide)(&sample.text)).collect())
    }
}
