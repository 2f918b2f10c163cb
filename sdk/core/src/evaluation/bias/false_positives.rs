use std::collections::BTreeMap;

use serde_json::Value;

use crate::audit::IdentitySet;
use crate::evaluation::work::json;
use crate::evaluation::{COMPONENT, Evaluation, Measurement, Provenance};
use crate::info::DigestBuilder;
use crate::{
    Error, ErrorKind, Event, Info, Observer, Result, Sample, Stage, ToxicityScorer, Verdict, calls,
};

const OPERATION: &str = "measure false positives";

/// The slice of all identities; one of them is `identity/TERM`.
const ALL: &str = "identity";

/// Sentences between two reports of progress.
const STRIDE: usize = 1024;

/// Asks a scorer how often it calls harmless sentences toxic because of whom they name.
///
/// It gives `false_positive_rate`, the share of an identity's harmless sentences whose value is at or over
/// a threshold, for every term, the highest first, and for all harmless sentences together, and
/// `false_positive_rate_gap`, the largest difference between two identities (Dixon et al. 2018, "Measuring
/// and Mitigating Unintended Bias in Text Classification"; they call the sum of the differences from the
/// whole the equality difference).
///
/// It belongs beside a [`BiasEvaluator`](super::BiasEvaluator)'s gaps, and
/// [`Pipeline::with_false_positives`](crate::Pipeline::with_false_positives) puts it there: what a filter
/// takes for toxic is not there when a model is fine-tuned on the rest. [`Auditor`](crate::audit::Auditor)
/// says how well the scorer orders the same sentences, whatever the threshold.
///
/// A sentence without a score is left out and counted in `unscored_rate`. An identity without a scored
/// harmless sentence has no rate and no part in the gap. Made of a few templates, the sentences are no
/// sample of anything: there are no intervals. In the result, the scorer is the subject and the model.
#[derive(Clone, Debug)]
pub struct IdentityFalsePositives {
    set: IdentitySet,
    threshold: f32,
}

impl IdentityFalsePositives {
    /// Asks for the harmless sentences of `set`; from `threshold` on, a value is a false positive.
    ///
    /// # Errors
    /// When the threshold is not in [0, 1], or the set has no harmless sentence.
    pub fn new(mut set: IdentitySet, threshold: f32) -> Result<Self> {
        let refuse = |kind, key: &'static str, message: String| {
            Error::new(kind, COMPONENT, OPERATION, message).with_key(key)
        };
        if !(0.0..=1.0).contains(&threshold) {
            let message = format!("{threshold} is not in [0, 1]");
            return Err(refuse(ErrorKind::InvalidConfig, "threshold", message));
        }
        set.sentences.retain(|sentence| !sentence.toxic);
        if set.sentences.is_empty() {
            let message = format!("{} has no harmless sentence", set.info.name);
            return Err(refuse(ErrorKind::Empty, "toxicity", message));
        }
        Ok(Self { set, threshold })
    }

    /// Checks that a scorer can be asked.
    ///
    /// # Errors
    /// When it does not give the set's attribute.
    pub fn check(&self, scorer: &dyn ToxicityScorer) -> Result<()> {
        calls::expect_attribute(scorer, &self.set.attribute, COMPONENT, OPERATION)
    }

    /// Asks a scorer.
    ///
    /// # Errors
    /// When it does not give the set's attribute, or fails.
    pub async fn measure(
        &self,
        scorer: &dyn ToxicityScorer,
        observer: &dyn Observer,
    ) -> Result<Evaluation> {
        self.check(scorer)?;
        let mut all = Rate::default();
        let mut identities = vec![Rate::default(); self.set.terms.len()];
        let stage = Stage::Evaluate;
        let total = Some(self.set.sentences.len() as u64);
        observer.observe(&Event::StageStarted { stage, total, done: 0, unit: "sentences" });
        for sentences in self.set.sentences.chunks(STRIDE) {
            let samples: Vec<Sample> =
                sentences.iter().map(|sentence| Sample::new(sentence.text.clone())).collect();
            let verdicts = calls::score(scorer, &samples).await?;
            for (sentence, verdict) in sentences.iter().zip(&verdicts) {
                let positive = self.is_positive(verdict);
                all.count(positive);
                for &identity in &sentence.identities {
                    identities[identity].count(positive);
                }
            }
            observer.observe(&Event::StageAdvanced { stage, count: sentences.len() as u64 });
        }
        observer.observe(&Event::StageFinished { stage });
        Ok(Evaluation {
            subject: scorer.info().name.clone(),
            measurements: measurements(&self.set, all, &identities),
            provenance: self.provenance(scorer.info())?,
        })
    }

    fn is_positive(&self, verdict: &Verdict) -> Option<bool> {
        Some(verdict.get(&self.set.attribute)? >= self.threshold)
    }

    /// What is asked, whoever is asked.
    pub(crate) fn info(&self) -> Result<Info> {
        let mut digest = DigestBuilder::new();
        digest.update(self.set.info.digest.as_str()).update(json(&self.settings()?)?.to_string());
        let version = env!("CARGO_PKG_VERSION");
        Ok(Info::new("identity false positives", version, digest.finish()))
    }

    fn settings(&self) -> Result<BTreeMap<String, Value>> {
        Ok(BTreeMap::from([
            ("attribute".to_owned(), json(&self.set.attribute)?),
            ("threshold".to_owned(), json(&self.threshold)?),
        ]))
    }

    /// The evaluator's digest does not depend on the scorer: several scorers stand in one table.
    fn provenance(&self, scorer: &Info) -> Result<Provenance> {
        Ok(Provenance {
            evaluator: self.info()?,
            model: scorer.clone(),
            scorer: None,
            data: self.set.info.clone(),
            settings: self.settings()?,
        })
    }
}

/// Harmless sentences.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    positive: u64,
    scored: u64,
    unscored: u64,
}

impl Rate {
    fn count(&mut self, positive: Option<bool>) {
        match positive {
            Some(positive) => {
                self.scored += 1;
                self.positive += u64::from(positive);
            }
            None => self.unscored += 1,
        }
    }

    fn value(self) -> Option<f64> {
        (self.scored > 0).then(|| self.positive as f64 / self.scored as f64)
    }
}

fn measurements(set: &IdentitySet, all: Rate, identities: &[Rate]) -> Vec<Measurement> {
    let rate = |slice: String, rate: Rate| {
        Measurement::new("false_positive_rate", slice, rate.value(), rate.scored, "sentences")
    };
    let mut measurements: Vec<_> = set
        .terms
        .iter()
        .zip(identities)
        .map(|(term, identity)| rate(format!("{ALL}/{term}"), *identity))
        .collect();
    measurements.sort_by(|one, other| {
        let rate = |of: &Measurement| of.value.unwrap_or(f64::NEG_INFINITY);
        rate(other).total_cmp(&rate(one))
    });
    measurements.push(rate(ALL.to_owned(), all));
    let rates: Vec<f64> = identities.iter().filter_map(|identity| identity.value()).collect();
    let ends = rates.iter().copied().reduce(f64::max).zip(rates.iter().copied().reduce(f64::min));
    let gap = ends.filter(|_| rates.len() > 1).map(|(high, low)| high - low);
    let n = rates.len() as u64;
    measurements.push(Measurement::new("false_positive_rate_gap", ALL, gap, n, "identities"));
    let sentences = all.scored + all.unscored;
    let unscored = all.unscored as f64 / sentences as f64;
    measurements.push(Measurement::new(
        "unscored_rate",
        ALL,
        Some(unscored),
        sentences,
        "sentences",
    ));
    measurements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CapitalScorer;
    use crate::{Attribute, Silent, scorer_fn};

    async fn ask(scorer: &CapitalScorer, threshold: f32) -> Evaluation {
        let asked = IdentityFalsePositives::new(set(), threshold).unwrap();
        asked.measure(scorer, &Silent).await.unwrap()
    }

    fn set() -> IdentitySet {
        let sentence = |text: &str, toxic| (1, text.to_owned(), toxic);
        let sentences = vec![
            sentence("OLD people", false),
            sentence("old people", false),
            sentence("tall people", false),
            sentence("TALL AND OLD", false),
            sentence("OLD", true),
            sentence("PEOPLE", false),
            sentence("?young people", false),
        ];
        let terms = ["old", "tall", "young"].map(str::to_owned).to_vec();
        IdentitySet::new("templates", terms, sentences, Attribute::TOXICITY)
    }

    #[tokio::test]
    async fn rates_are_of_harmless_sentences_and_unscored_ones_count_for_nothing() {
        let scorer = CapitalScorer::new().abstaining_on('?');
        // "OLD people" has three capitals of nine letters.
        let found = ask(&scorer, 3.0 / 9.0).await;
        let rate = |slice: &str| {
            let rate = found.get("false_positive_rate", slice).unwrap();
            (rate.value, rate.n)
        };
        let slices: Vec<&str> = found.measurements.iter().map(|m| m.slice.as_str()).collect();
        assert_eq!(slices[..3], ["identity/old", "identity/tall", "identity/young"]);
        assert_eq!(rate("identity/old"), (Some(2.0 / 3.0), 3));
        assert_eq!(rate("identity/tall"), (Some(0.5), 2));
        assert_eq!(rate("identity/young"), (None, 0));
        assert_eq!(rate("identity"), (Some(0.6), 5));
        let gap = found.get("false_positive_rate_gap", "identity").unwrap();
        assert!((gap.value.unwrap() - (2.0 / 3.0 - 0.5)).abs() < 1e-12);
        assert_eq!((gap.n, gap.interval), (2, None));
        assert_eq!(found.get("unscored_rate", "identity").unwrap().value, Some(1.0 / 6.0));
        assert_eq!((found.subject.as_str(), &found.provenance.model), ("capitals", scorer.info()));
        let over = ask(&scorer, 0.34).await;
        assert_eq!(over.get("false_positive_rate", "identity/old").unwrap().value, Some(1.0 / 3.0));
    }

    #[tokio::test]
    async fn what_cannot_be_measured_is_refused() {
        let insults = scorer_fn("insults", Attribute::INSULT, |_| Some(0.0));
        let asked = IdentityFalsePositives::new(set(), 0.5).unwrap();
        let error = asked.measure(&insults, &Silent).await.unwrap_err();
        assert_eq!(error.key(), Some("attribute"));
        let error = IdentityFalsePositives::new(set(), f32::NAN).unwrap_err();
        assert_eq!(error.key(), Some("threshold"));
        let toxic = IdentitySet::new("t", vec![], vec![(1, "x".into(), true)], Attribute::TOXICITY);
        let error = IdentityFalsePositives::new(toxic, 0.5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Empty);
    }
}
