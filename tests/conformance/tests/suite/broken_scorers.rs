use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use detoxlm_conformance::{filter, scorer, scorers_are_told_apart};
use detoxlm_core::testing::CapitalScorer;
use detoxlm_core::{
    Attribute, Decision, Digest, Error, ErrorKind, Filter, Info, Result, Sample,
    ScorerCapabilities, Scores, ToxicityScorer, Unscored, Verdict,
};

use crate::assert_breaks;

/// The capital scorer, its answers spoiled.
struct Spoiled<F> {
    scorer: CapitalScorer,
    capabilities: ScorerCapabilities,
    spoil: F,
}

impl<F> Spoiled<F>
where
    F: Fn(&[Sample], Vec<Verdict>) -> Result<Vec<Verdict>> + Send + Sync + 'static,
{
    fn new(spoil: F) -> Self {
        let scorer = CapitalScorer::new();
        Self { capabilities: scorer.capabilities().clone(), scorer, spoil }
    }
}

impl<F> fmt::Debug for Spoiled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spoiled")
    }
}

#[async_trait]
impl<F> ToxicityScorer for Spoiled<F>
where
    F: Fn(&[Sample], Vec<Verdict>) -> Result<Vec<Verdict>> + Send + Sync + 'static,
{
    fn info(&self) -> &Info {
        self.scorer.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        (self.spoil)(samples, self.scorer.score(samples).await?)
    }
}

fn toxicity(value: f32) -> Verdict {
    Scores::new([(Attribute::TOXICITY, value)]).unwrap().into()
}

fn value_of(verdict: &Verdict) -> f32 {
    verdict.get(&Attribute::TOXICITY).unwrap_or(0.5)
}

#[tokio::test]
async fn a_verdict_too_few() {
    let short = Spoiled::new(|_, mut verdicts| {
        verdicts.truncate(3);
        Ok(verdicts)
    });
    assert_breaks(scorer(&short).await, "as many verdicts as there are samples");
}

#[tokio::test]
async fn an_answer_to_nothing() {
    let eager = Spoiled::new(|samples, verdicts| {
        Ok(if samples.is_empty() { vec![toxicity(0.5)] } else { verdicts })
    });
    assert_breaks(scorer(&eager).await, "an empty slice gives an empty answer");
}

#[tokio::test]
async fn verdicts_sorted_by_length() {
    let sorted = Spoiled::new(|samples, verdicts| {
        let mut pairs: Vec<_> = samples.iter().zip(verdicts).collect();
        pairs.sort_by_key(|(sample, _)| sample.text.len());
        Ok(pairs.into_iter().map(|(_, verdict)| verdict).collect())
    });
    assert_breaks(scorer(&sorted).await, "in their order");
}

#[tokio::test]
async fn values_scaled_by_the_batchs_highest() {
    let relative = Spoiled::new(|_, verdicts| {
        let most = verdicts.iter().map(value_of).fold(f32::EPSILON, f32::max);
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Scored(_) => toxicity(value_of(&verdict) / most),
                unscored => unscored,
            })
            .collect())
    });
    assert_breaks(scorer(&relative).await, "never on its neighbours");
}

#[tokio::test]
async fn values_that_drift_from_call_to_call() {
    let calls = AtomicU32::new(0);
    let drifting = Spoiled::new(move |_, verdicts| {
        let drift = calls.fetch_add(1, Ordering::SeqCst) as f32 / 100.0;
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Scored(_) => toxicity((value_of(&verdict) * 0.5 + drift).min(1.0)),
                unscored => unscored,
            })
            .collect())
    });
    assert_breaks(scorer(&drifting).await, "or on earlier calls");
}

#[tokio::test]
async fn zero_for_blank_text() {
    let zero = Spoiled::new(|_, verdicts| {
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Unscored(Unscored::Blank) => toxicity(0.0),
                other => other,
            })
            .collect())
    });
    assert_breaks(scorer(&zero).await, "with a reason, never a value");
}

#[tokio::test]
async fn another_reason_for_blank_text() {
    let vague = Spoiled::new(|_, verdicts| {
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Unscored(_) => Verdict::Unscored(Unscored::Failed("no text".into())),
                other => other,
            })
            .collect())
    });
    assert_breaks(scorer(&vague).await, "nothing but white space");
}

#[tokio::test]
async fn a_text_that_fails_its_call() {
    let fragile = Spoiled::new(|samples, verdicts| {
        if samples.iter().any(|sample| sample.text.contains('\0')) {
            return Err(Error::new(ErrorKind::InvalidInput, "fragile", "score", "a null byte"));
        }
        Ok(verdicts)
    });
    assert_breaks(scorer(&fragile).await, "A text that cannot be scored");
}

#[tokio::test]
async fn an_attribute_that_is_listed_and_never_given() {
    let mut boastful = Spoiled::new(|_, verdicts| Ok(verdicts));
    boastful.capabilities = ScorerCapabilities::new([Attribute::TOXICITY, Attribute::THREAT]);
    assert_breaks(scorer(&boastful).await, "every attribute that `capabilities` lists");
}

#[tokio::test]
async fn one_digest_for_two_behaviours() {
    let texts = ["LOUD", "quiet"].map(str::to_owned);
    let halved = Spoiled::new(|_, verdicts| {
        Ok(verdicts.iter().map(|verdict| toxicity(value_of(verdict) / 2.0)).collect())
    });
    let result = scorers_are_told_apart(&CapitalScorer::new(), &halved, &texts).await;
    assert_breaks(result, "changes whenever a verdict could");
}

/// Keeps one text of a batch.
#[derive(Debug)]
struct Choosy(Info, bool);

#[async_trait]
impl Filter for Choosy {
    fn info(&self) -> &Info {
        &self.0
    }

    async fn decide(&self, samples: &[Sample]) -> Result<Vec<Decision>> {
        let longest = samples.iter().map(|sample| sample.text.len()).max();
        let mut decisions: Vec<_> = samples
            .iter()
            .map(|sample| match sample.text.len() {
                length if self.1 && Some(length) == longest => Decision::Keep,
                length if !self.1 && length > 20 => Decision::Keep,
                _ => Decision::Drop("short".into()),
            })
            .collect();
        if !self.1 {
            decisions.reverse();
        }
        Ok(decisions)
    }
}

#[tokio::test]
async fn filters_that_compare_or_mix_up_their_samples() {
    let info = Info::new("choosy", "1", Digest::of("choosy"));
    assert_breaks(filter(&Choosy(info.clone(), true)).await, "depends on its sample alone");
    assert_breaks(filter(&Choosy(info, false)).await, "in their order");
}
