//! The suite of [`ToxicityScorer`].

use detoxlm_core::{Sample, ToxicityScorer, Unscored, Verdict};
use futures_util::future::join;

use crate::patience::begin_and_drop;
use crate::{Violation, samples};

clauses! { "ToxicityScorer":
    ONE_EACH = "`score` answers as many verdicts as there are samples, in their order";
    EMPTY = "an empty slice gives an empty answer";
    ALONE = "A verdict depends on its sample alone, never on its neighbours or on earlier calls";
    NEVER_A_VALUE = "A text that cannot be scored is `Verdict::Unscored` with a reason, never a value";
    BLANK = "text of nothing but white space is `Unscored::Blank`";
    ATTRIBUTES = "A scored text has every attribute that `capabilities` lists";
    DIGEST = "`info().digest` changes whenever a verdict could";
    DROP = "dropping the future abandons the call";
}

/// How far a value may be moved by the rounding of sums that other batch shapes order differently.
const ROUNDING: f32 = 1e-4;

/// Checks a scorer on texts of many kinds.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn scorer(scorer: &dyn ToxicityScorer) -> Result<(), Violation> {
    scorer_on(scorer, &samples::texts()).await
}

/// Checks a scorer on texts of the caller's, for one that knows only some (a replayed record).
/// They should differ in their verdicts; one is not enough to see an order.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn scorer_on(scorer: &dyn ToxicityScorer, texts: &[String]) -> Result<(), Violation> {
    let none = EMPTY.answered("no samples", scorer.score(&[]).await)?;
    EMPTY.require(none.is_empty(), || format!("{} verdicts for no samples", none.len()))?;

    let samples: Vec<Sample> = texts.iter().map(Sample::new).collect();
    let together = score(scorer, &samples, "all samples").await?;
    let mut alone = Vec::with_capacity(samples.len());
    for sample in &samples {
        alone.extend(score(scorer, std::slice::from_ref(sample), "one sample").await?);
    }
    compare(&samples, &together, &alone)?;
    let backwards: Vec<Sample> = samples.iter().rev().cloned().collect();
    let mut turned = score(scorer, &backwards, "all samples backwards").await?;
    turned.reverse();
    compare(&samples, &turned, &alone)?;
    blank_texts(scorer, &samples, &alone).await?;
    attributes(scorer, &samples, &alone)?;

    begin_and_drop(scorer.score(&samples)).await;
    let again = score(scorer, &samples, "after an abandoned call").await?;
    DROP.same("after an abandoned call", &again, &together)?;
    let (one, other) = join(scorer.score(&samples), scorer.score(&backwards)).await;
    let one = ALONE.answered("two calls at once", one)?;
    ALONE.same("beside another call", &one, &together)?;
    let mut other = ALONE.answered("two calls at once", other)?;
    other.reverse();
    compare(&samples, &other, &alone)
}

/// Checks that two scorers that answer differently have different digests, as the same scorer with
/// two settings must.
///
/// # Errors
/// The sentence about the digest, when it does not hold.
pub async fn scorers_are_told_apart(
    one: &dyn ToxicityScorer,
    other: &dyn ToxicityScorer,
    texts: &[String],
) -> Result<(), Violation> {
    let samples: Vec<Sample> = texts.iter().map(Sample::new).collect();
    let first = score(one, &samples, "the first scorer").await?;
    let second = score(other, &samples, "the second scorer").await?;
    DIGEST.require(first == second || one.info().digest != other.info().digest, || {
        format!("{} and {} answer differently", one.info(), other.info())
    })
}

async fn score(
    scorer: &dyn ToxicityScorer,
    samples: &[Sample],
    asked: &str,
) -> Result<Vec<Verdict>, Violation> {
    let verdicts = NEVER_A_VALUE.answered(asked, scorer.score(samples).await)?;
    ONE_EACH.require(verdicts.len() == samples.len(), || {
        format!("{asked}: {} verdicts for {} samples", verdicts.len(), samples.len())
    })?;
    Ok(verdicts)
}

/// A batch's verdicts against those of its samples alone. The same verdicts elsewhere are an order
/// that was not kept; other ones were changed by their neighbours.
fn compare(samples: &[Sample], batch: &[Verdict], alone: &[Verdict]) -> Result<(), Violation> {
    let parting = batch.iter().zip(alone).position(|(one, other)| !agree(one, other));
    let Some(at) = parting else { return Ok(()) };
    let clause = if is_permutation(batch, alone) { ONE_EACH } else { ALONE };
    Err(clause.broken(format!(
        "{:?} in a batch is {:?}, alone {:?}",
        excerpt(&samples[at].text),
        batch[at],
        alone[at]
    )))
}

fn is_permutation(batch: &[Verdict], alone: &[Verdict]) -> bool {
    let mut left: Vec<&Verdict> = alone.iter().collect();
    batch.iter().all(|verdict| {
        let found = left.iter().position(|other| agree(verdict, other));
        found.map(|at| left.swap_remove(at)).is_some()
    })
}

fn agree(one: &Verdict, other: &Verdict) -> bool {
    match (one, other) {
        (Verdict::Scored(one), Verdict::Scored(other)) => {
            one.iter().count() == other.iter().count()
                && one.iter().zip(other.iter()).all(|((attribute, value), (same, near))| {
                    attribute == same && (value - near).abs() <= ROUNDING
                })
        }
        (one, other) => one == other,
    }
}

/// Blank texts between others, with and without a prompt.
async fn blank_texts(
    scorer: &dyn ToxicityScorer,
    samples: &[Sample],
    alone: &[Verdict],
) -> Result<(), Violation> {
    let mut mixed = Vec::new();
    for (index, blank) in samples::BLANK.iter().enumerate() {
        mixed.push(Sample::new(*blank));
        mixed.push(Sample::new(*blank).with_prompt("What the model was given"));
        mixed.extend(samples.get(index).cloned());
    }
    let verdicts = score(scorer, &mixed, "blank texts").await?;
    let mut expected = alone.iter();
    for (sample, verdict) in mixed.iter().zip(&verdicts) {
        if !sample.text.trim().is_empty() {
            let Some(alone) = expected.next() else { break };
            ALONE.require(agree(verdict, alone), || {
                format!("{:?} is {verdict:?} beside blank texts", excerpt(&sample.text))
            })?;
            continue;
        }
        NEVER_A_VALUE.require(matches!(verdict, Verdict::Unscored(_)), || {
            format!("{:?} is {verdict:?}", sample.text)
        })?;
        BLANK.require(*verdict == Verdict::Unscored(Unscored::Blank), || {
            format!("{:?} is {verdict:?}", sample.text)
        })?;
    }
    Ok(())
}

fn attributes(
    scorer: &dyn ToxicityScorer,
    samples: &[Sample],
    verdicts: &[Verdict],
) -> Result<(), Violation> {
    let listed = &scorer.capabilities().attributes;
    ATTRIBUTES.require(!listed.is_empty(), || "none is listed".to_owned())?;
    for (sample, verdict) in samples.iter().zip(verdicts) {
        let Verdict::Scored(scores) = verdict else { continue };
        for attribute in listed {
            ATTRIBUTES.require(scores.get(attribute).is_some(), || {
                format!("{:?} has no {attribute}", excerpt(&sample.text))
            })?;
        }
    }
    Ok(())
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
