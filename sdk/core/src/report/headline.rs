//! What a run came to, in a sentence for people who have no time, and what that sentence leaves out.

use crate::evaluation::{Changes, Evaluation, Measurement, number, signed};
use crate::{Digest, Info};

pub(super) const TOXICITY: (&str, &str) = ("expected_maximum_toxicity", "full");
pub(super) const PERPLEXITY: (&str, &str) = ("token_perplexity", "all");

/// The sentence and its small print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Headline {
    pub(super) lead: String,
    pub(super) caveat: String,
}

/// A figure of both models and what changed.
struct Pair<'a> {
    before: &'a Measurement,
    after: &'a Measurement,
    change: Option<&'a Measurement>,
    evaluation: &'a Evaluation,
}

impl Pair<'_> {
    fn values(&self) -> Option<(f64, f64)> {
        self.before.value.zip(self.after.value)
    }

    /// Whether the change is more than chance; `None` when nobody knows.
    fn is_certain(&self) -> Option<bool> {
        let interval = self.change?.interval?;
        Some(interval.low > 0.0 || interval.high < 0.0)
    }

    /// ` (change −0.1 [−0.2, −0.05])`.
    fn change(&self) -> String {
        match self.change.and_then(|change| change.value.zip(change.interval)) {
            Some((value, interval)) => format!(
                " (change {} [{}, {}])",
                signed(value),
                signed(interval.low),
                signed(interval.high)
            ),
            None => String::new(),
        }
    }
}

/// Tells of the first two subjects. Toxicity is by the first judge that is not `filter`, which chose the
/// training data, where there is such a judge.
pub(super) fn headline(
    evaluations: &[Evaluation],
    changes: &[Changes],
    filter: Option<&Info>,
) -> Headline {
    let pairs = |figure| pairs(evaluations, changes, figure);
    let is_filter = |pair: &Pair<'_>| {
        let judge = pair.evaluation.provenance.scorer.as_ref();
        judge.zip(filter).is_some_and(|(judge, filter)| judge.digest == filter.digest)
    };
    let mut judged = pairs(TOXICITY);
    // Stable: among judges of one kind the first stays the first.
    judged.sort_by_key(is_filter);
    let toxicity = judged.into_iter().next();
    let perplexity = pairs(PERPLEXITY).into_iter().next();
    let (what, rated) =
        (toxicity.as_ref().and_then(toxicity_clause), perplexity.as_ref().and_then(rated));
    let lead = match (what, rated) {
        (Some(toxicity), Some(perplexity)) => format!("{toxicity}; {perplexity}."),
        (Some(toxicity), None) => format!("{toxicity}; perplexity was not measured."),
        (None, Some(perplexity)) => format!("Toxicity was not measured; {perplexity}."),
        (None, None) => "The model was trained; nothing was measured yet.".to_owned(),
    };
    let mut caveat = Vec::new();
    if let Some(pair) = &toxicity {
        caveat.push(toxicity_caveat(pair));
    }
    if let Some(pair) = &perplexity {
        caveat.push(format!(
            "Perplexity is how surprised the model is by each token of {} that people wrote ({} {}); \
             lower is better.",
            pair.evaluation.provenance.data.name, pair.after.n, pair.after.unit
        ));
    }
    if toxicity.is_some() {
        caveat.push(
            "A lower figure means less toxic as far as this judge can tell, on prompts like these: it \
             is no promise that the model writes nothing toxic."
                .to_owned(),
        );
    }
    Headline { lead, caveat: caveat.join(" ") }
}

fn pairs<'a>(
    evaluations: &'a [Evaluation],
    changes: &'a [Changes],
    (name, slice): (&str, &str),
) -> Vec<Pair<'a>> {
    let digest =
        |evaluation: &'a Evaluation| -> &'a Digest { &evaluation.provenance.evaluator.digest };
    let first = evaluations.first().map(|evaluation| evaluation.subject.as_str());
    evaluations
        .iter()
        .filter(|evaluation| Some(evaluation.subject.as_str()) == first)
        .filter_map(|evaluation| {
            let other = evaluations.iter().find(|other| {
                digest(other) == digest(evaluation) && other.subject != evaluation.subject
            })?;
            let changes =
                changes.iter().find(|changes| changes.evaluator.digest == *digest(evaluation));
            Some(Pair {
                before: evaluation.get(name, slice)?,
                after: other.get(name, slice)?,
                change: changes.and_then(|changes| changes.get(name, slice)),
                evaluation,
            })
        })
        .collect()
}

fn toxicity_clause(pair: &Pair<'_>) -> Option<String> {
    let (before, after) = pair.values()?;
    let (from, to) = (number(before), number(after));
    let change = pair.change();
    Some(match pair.is_certain() {
        Some(true) if after < before => format!("Toxicity fell from {from} to {to}{change}"),
        Some(true) => format!("Toxicity rose from {from} to {to}{change}"),
        Some(false) => {
            format!(
                "No change in toxicity can be told from chance: {from} before, {to} after{change}"
            )
        }
        None => format!("Toxicity was {from} and is {to}, and nobody knows how sure that is"),
    })
}

fn rated(pair: &Pair<'_>) -> Option<String> {
    let (before, after) = pair.values()?;
    let percent = 100.0 * (after / before - 1.0);
    if !percent.is_finite() {
        return None;
    }
    let size = format!("{:.1}%", percent.abs());
    Some(match (pair.is_certain(), percent < 0.0) {
        (Some(false), _) => {
            format!("no change in perplexity can be told from chance ({}%)", signed(percent))
        }
        (_, true) => format!("perplexity fell by {size}"),
        (_, false) => format!("perplexity rose by {size}"),
    })
}

fn toxicity_caveat(pair: &Pair<'_>) -> String {
    let made_of = &pair.evaluation.provenance;
    let each = made_of.settings.get("continuations").and_then(serde_json::Value::as_u64);
    let among = each.map_or_else(
        || "a prompt's continuations".to_owned(),
        |count| format!("a prompt's {count} continuations"),
    );
    let judge = made_of.scorer.as_ref().map_or_else(String::new, |judge| {
        format!(" and judged by {} {}", judge.name, judge.version)
    });
    let level =
        pair.change.and_then(|change| change.interval).map_or_else(String::new, |interval| {
            format!(" In brackets: the {}% interval of the change.", 100.0 * interval.level)
        });
    format!(
        "Toxicity is the highest score among {among}, from 0 to 1, averaged over {} {}{judge}.{level}",
        pair.after.n, pair.after.unit
    )
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{changed, evaluation, figure};
    use super::*;

    fn told(change: Option<(f64, f64)>, after: f64, filter: &str) -> Headline {
        let evaluations = [
            evaluation("base", "a", vec![figure(TOXICITY, 0.4)]),
            evaluation("base", "b", vec![figure(TOXICITY, 0.5)]),
            evaluation("base", "ppl", vec![figure(PERPLEXITY, 20.0)]),
            evaluation("new", "a", vec![figure(TOXICITY, after)]),
            evaluation("new", "b", vec![figure(TOXICITY, after + 0.1)]),
            evaluation("new", "ppl", vec![figure(PERPLEXITY, 20.5)]),
        ];
        let changes = ["a", "b"].map(|judge| changed(judge, TOXICITY, after - 0.4, change));
        let filter = evaluation("", filter, Vec::new()).provenance.scorer;
        headline(&evaluations, &changes, filter.as_ref())
    }

    #[test]
    fn the_sentence_says_only_what_the_interval_allows() {
        let lead = |change, after| told(change, after, "none").lead;
        assert_eq!(
            lead(Some((-0.2, -0.05)), 0.3),
            "Toxicity fell from 0.400 to 0.300 (change −0.100 [−0.200, −0.050]); perplexity rose by \
             2.5%."
        );
        assert!(lead(Some((0.05, 0.2)), 0.5).starts_with("Toxicity rose from 0.400 to 0.500"));
        assert!(lead(Some((-0.2, 0.05)), 0.3).starts_with("No change in toxicity can be told"));
        assert!(lead(None, 0.3).contains("nobody knows how sure"));
    }

    #[test]
    fn the_independent_judge_has_the_first_word() {
        assert!(told(None, 0.3, "none").caveat.contains("judged by a 1"));
        let told = told(None, 0.3, "a");
        assert!(told.lead.starts_with("Toxicity was 0.500"), "{}", told.lead);
        assert!(told.caveat.contains("judged by b 1"));
    }

    #[test]
    fn what_was_not_measured_is_said_not_guessed() {
        let only = [evaluation("base", "a", vec![figure(TOXICITY, 0.4)])];
        assert_eq!(
            headline(&only, &[], None).lead,
            "The model was trained; nothing was measured yet."
        );
        let mut missing = figure(TOXICITY, 0.4);
        missing.value = None;
        let evaluations =
            [evaluation("base", "a", vec![missing.clone()]), evaluation("new", "a", vec![missing])];
        let lead = headline(&evaluations, &[], None).lead;
        assert_eq!(lead, "The model was trained; nothing was measured yet.");
    }
}
