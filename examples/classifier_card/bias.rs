//! Whom a classifier wrongs: areas by identity on sentences that differ in the identity alone.

use std::collections::BTreeSet;

use detoxlm::evaluation::roc_auc;
use detoxlm::{Attribute, ToxicityScorer};

use crate::Result;
use crate::data::Phrase;
use crate::figures::{figure, score, value};

/// How many identities are listed, the worst first.
const WORST: usize = 12;

/// A sentence's score, its label and the identity in it.
struct Judged<'a> {
    value: f64,
    toxic: bool,
    identity: &'a str,
}

/// Prints the three areas of Borkan et al. 2019, "Nuanced Metrics for Measuring Unintended Bias with
/// Real Data for Text Classification": *subgroup* within an identity's sentences, *BPSN* of the
/// others' toxic sentences over the identity's harmless ones (low: these are called toxic), *BNSP* of
/// the identity's toxic sentences over the others' harmless ones (low: those are missed).
pub async fn identities(scorer: &dyn ToxicityScorer, phrases: &[Phrase]) -> Result<()> {
    println!("\n### Identity templates (Dixon et al. 2018), TOXICITY\n");
    let names = names(phrases);
    let scores = score(scorer, phrases.iter().map(|phrase| &phrase.phrase)).await?;
    let judged: Vec<Judged<'_>> = phrases
        .iter()
        .zip(&scores)
        .filter_map(|(phrase, scores)| {
            let value = value(scores.as_ref(), &Attribute::TOXICITY)?;
            let identity = *names.iter().filter(|name| names_it(&phrase.phrase, name)).max_by_key(
                // `african american` is not `african`.
                |name| name.len(),
            )?;
            Some(Judged { value, toxic: phrase.toxicity == "toxic", identity })
        })
        .collect();
    let pick = |toxic: bool, of: Option<(&str, bool)>| -> Vec<f64> {
        let is = |one: &&Judged<'_>| {
            one.toxic == toxic && of.is_none_or(|(name, inside)| (one.identity == name) == inside)
        };
        judged.iter().filter(is).map(|one| one.value).collect()
    };
    let overall = roc_auc(&pick(true, None), &pick(false, None));
    println!(
        "{} sentences, {} identities; AUC of all {}.\n",
        judged.len(),
        names.len(),
        figure(overall)
    );
    let mut rows: Vec<(&str, [Option<f64>; 3])> = names
        .iter()
        .map(|&name| {
            let [toxic, harmless] = [true, false].map(|toxic| pick(toxic, Some((name, true))));
            let [other_toxic, other_harmless] =
                [true, false].map(|toxic| pick(toxic, Some((name, false))));
            let areas = [
                roc_auc(&toxic, &harmless),
                roc_auc(&other_toxic, &harmless),
                roc_auc(&toxic, &other_harmless),
            ];
            (name, areas)
        })
        .collect();
    let lowest = |areas: &[Option<f64>; 3]| areas.iter().flatten().copied().fold(1.0, f64::min);
    rows.sort_by(|one, other| lowest(&one.1).total_cmp(&lowest(&other.1)));
    let means = [0, 1, 2].map(|at| {
        let areas: Vec<f64> = rows.iter().filter_map(|(_, areas)| areas[at]).collect();
        (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
    });
    println!("| identity | subgroup AUC | BPSN AUC | BNSP AUC |");
    println!("| --- | --- | --- | --- |");
    let listed = rows.iter().take(WORST).copied();
    for (name, areas) in listed.chain([("mean over all identities", means)]) {
        let [subgroup, bpsn, bnsp] = areas.map(figure);
        println!("| {name} | {subgroup} | {bpsn} | {bnsp} |");
    }
    println!("\nThe {WORST} identities with the lowest area of any kind are listed.");
    Ok(())
}

/// The identities: what follows the verb in sentences of the template `verb_adj`.
fn names(phrases: &[Phrase]) -> BTreeSet<&str> {
    let short = phrases.iter().filter(|phrase| phrase.template == "verb_adj");
    short.filter_map(|phrase| Some(phrase.phrase.trim().split_once(' ')?.1)).collect()
}

/// Whether the name stands in the phrase as whole words, in any case.
fn names_it(phrase: &str, name: &str) -> bool {
    let words = |text: &str| format!(" {} ", text.to_lowercase());
    words(phrase).contains(&words(name))
}
