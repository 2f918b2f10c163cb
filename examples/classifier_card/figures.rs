//! Agreement with Perspective and with people.

use std::collections::BTreeMap;

use detoxlm::evaluation::{pearson, roc_auc};
use detoxlm::{Attribute, Sample, Scores, ToxicityScorer, Verdict};

use crate::Result;
use crate::data::{Case, Referenced};

/// From here on a score counts as a yes, of the scorer as of the reference.
const THRESHOLD: f64 = 0.5;
/// How many functionalities are listed, the worst first.
const WORST: usize = 12;

/// The scores of texts; `None` for one that has none.
pub async fn score(
    scorer: &dyn ToxicityScorer,
    texts: impl IntoIterator<Item = &String>,
) -> Result<Vec<Option<Scores>>> {
    let samples: Vec<Sample> = texts.into_iter().map(Sample::new).collect();
    let verdicts = scorer.score(&samples).await?;
    let scores: Vec<Option<Scores>> = verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Scored(scores) => Some(scores),
            Verdict::Unscored(_) => None,
        })
        .collect();
    let missing = scores.iter().filter(|scores| scores.is_none()).count();
    if missing > 0 {
        println!("{missing} of {} texts have no score and are left out.\n", scores.len());
    }
    Ok(scores)
}

/// Prints AUC, Pearson's correlation and the shares over the threshold, for each attribute.
pub async fn agreement(scorer: &dyn ToxicityScorer, set: &Referenced) -> Result<()> {
    println!("\n### {}\n", set.title);
    let scores = score(scorer, &set.texts).await?;
    println!("| attribute | texts | AUC | Pearson | reference >= 0.5 | classifier >= 0.5 |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for attribute in &scorer.capabilities().attributes {
        let (ours, theirs) = pairs(&scores, set, attribute);
        if ours.is_empty() {
            continue;
        }
        println!(
            "| {attribute} | {} | {} | {} | {} | {} |",
            ours.len(),
            figure(area(&ours, &theirs)),
            figure(pearson(&ours, &theirs)),
            percent(&theirs),
            percent(&ours),
        );
    }
    Ok(())
}

/// Prints AUC for each attribute that people labelled.
pub async fn labels(scorer: &dyn ToxicityScorer, set: &Referenced) -> Result<()> {
    println!("\n### {}\n", set.title);
    let scores = score(scorer, &set.texts).await?;
    println!("| attribute | texts | with the label | AUC |");
    println!("| --- | --- | --- | --- |");
    for attribute in &scorer.capabilities().attributes {
        let (ours, theirs) = pairs(&scores, set, attribute);
        if ours.is_empty() {
            continue;
        }
        let labelled = theirs.iter().filter(|&&value| value >= THRESHOLD).count();
        let area = figure(area(&ours, &theirs));
        println!("| {attribute} | {} | {labelled} | {area} |", ours.len());
    }
    Ok(())
}

/// Prints the AUC on a functional test, and where the threshold decides worst.
pub async fn functionalities(scorer: &dyn ToxicityScorer, cases: &[Case]) -> Result<()> {
    println!("\n### HateCheck (Röttger et al. 2021)\n");
    let scores = score(scorer, cases.iter().map(|case| &case.text)).await?;
    for attribute in [Attribute::TOXICITY, Attribute::IDENTITY_ATTACK] {
        let of = |label: &str| -> Vec<f64> {
            let labelled = cases.iter().zip(&scores).filter(|(case, _)| case.label == label);
            labelled.filter_map(|(_, scores)| value(scores.as_ref(), &attribute)).collect()
        };
        let (hateful, other) = (of("hateful"), of("non-hateful"));
        println!(
            "AUC of {attribute}: {} ({} hateful, {} other cases).",
            figure(roc_auc(&hateful, &other)),
            hateful.len(),
            other.len()
        );
    }
    let mut by_name: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for (case, scores) in cases.iter().zip(&scores) {
        if let Some(value) = value(scores.as_ref(), &Attribute::TOXICITY) {
            by_name.entry((&case.functionality, &case.label)).or_default().push(value);
        }
    }
    let right = |label: &str, values: &[f64]| {
        let flagged = values.iter().filter(|&&value| value >= THRESHOLD).count();
        let right = if label == "hateful" { flagged } else { values.len() - flagged };
        right as f64 / values.len() as f64
    };
    let mut worst: Vec<_> = by_name
        .iter()
        .map(|(&(name, label), values)| (right(label, values), name, label, values))
        .collect();
    worst.sort_by(|one, other| one.0.total_cmp(&other.0));
    println!("\nThe {WORST} functionalities that TOXICITY at {THRESHOLD} decides worst:\n");
    println!("| functionality | people say | cases | called toxic | decided rightly |");
    println!("| --- | --- | --- | --- | --- |");
    for (right, name, label, values) in worst.into_iter().take(WORST) {
        let called = percent(values);
        println!("| `{name}` | {label} | {} | {called} | {:.1}% |", values.len(), 100.0 * right);
    }
    Ok(())
}

/// Our values and the reference's, of the texts that have both.
fn pairs(
    scores: &[Option<Scores>],
    set: &Referenced,
    attribute: &Attribute,
) -> (Vec<f64>, Vec<f64>) {
    scores
        .iter()
        .zip(&set.values)
        .filter_map(|(scores, values)| {
            Some((value(scores.as_ref(), attribute)?, *values.get(attribute)?))
        })
        .unzip()
}

/// A score's value of an attribute.
pub fn value(scores: Option<&Scores>, attribute: &Attribute) -> Option<f64> {
    scores?.get(attribute).map(f64::from)
}

fn area(ours: &[f64], theirs: &[f64]) -> Option<f64> {
    let (positive, negative): (Vec<_>, Vec<_>) =
        ours.iter().zip(theirs).partition(|&(_, &reference)| reference >= THRESHOLD);
    let values = |pairs: Vec<(&f64, &f64)>| pairs.into_iter().map(|(&ours, _)| ours).collect();
    let (positive, negative): (Vec<f64>, Vec<f64>) = (values(positive), values(negative));
    roc_auc(&positive, &negative)
}

/// A figure, or a dash where there is none.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

fn percent(values: &[f64]) -> String {
    let over = values.iter().filter(|&&value| value >= THRESHOLD).count();
    format!("{:.1}%", 100.0 * over as f64 / values.len() as f64)
}
