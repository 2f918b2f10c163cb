//! The suite of [`Filter`].

use detoxlm_core::{Decision, Filter, Sample};

use crate::{Violation, samples};

clauses! { "Filter":
    ONE_EACH = "`decide` answers as many decisions as there are samples, in their order.";
    ALONE = "A decision depends on its sample alone.";
}

/// Checks a filter on texts of many kinds, blank ones among them.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn filter(filter: &dyn Filter) -> Result<(), Violation> {
    let mut texts = samples::texts();
    texts.extend(samples::BLANK.map(str::to_owned));
    filter_on(filter, &texts).await
}

/// Checks a filter on texts of the caller's: some that it keeps and some that it drops, or its order
/// cannot be seen.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn filter_on(filter: &dyn Filter, texts: &[String]) -> Result<(), Violation> {
    decide(filter, &[]).await?;
    let samples: Vec<Sample> = texts.iter().map(Sample::new).collect();
    let together = decide(filter, &samples).await?;
    let mut alone = Vec::with_capacity(samples.len());
    for sample in &samples {
        alone.extend(decide(filter, std::slice::from_ref(sample)).await?);
    }
    compare(&together, &alone)?;
    let backwards: Vec<Sample> = samples.iter().rev().cloned().collect();
    let mut turned = decide(filter, &backwards).await?;
    turned.reverse();
    compare(&turned, &alone)?;
    ALONE.same("the same call again", &decide(filter, &samples).await?, &together)
}

async fn decide(filter: &dyn Filter, samples: &[Sample]) -> Result<Vec<Decision>, Violation> {
    let decisions = ONE_EACH.answered("texts", filter.decide(samples).await)?;
    ONE_EACH.require(decisions.len() == samples.len(), || {
        format!("{} decisions for {} samples", decisions.len(), samples.len())
    })?;
    Ok(decisions)
}

/// The same decisions elsewhere are an order that was not kept.
fn compare(batch: &[Decision], alone: &[Decision]) -> Result<(), Violation> {
    let sorted = |decisions: &[Decision]| {
        let mut shown: Vec<String> = decisions.iter().map(|d| format!("{d:?}")).collect();
        shown.sort();
        shown
    };
    let clause = if sorted(batch) == sorted(alone) { ONE_EACH } else { ALONE };
    clause.same("a batch against its samples alone", &batch, &alone)
}
