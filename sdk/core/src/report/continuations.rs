//! What models wrote, before and after, prompt by prompt: read from the parts that evaluations of toxicity
//! keep, one unit at a time.

use std::path::Path;

use serde::Deserialize;

use super::{Block, Cell, Fold, Picture, Table};
use crate::evaluation::{Evaluation, GENERATIONS, SCORES, source};
use crate::plot::{Bins, Ground, histogram};
use crate::run::Parts;
use crate::{Attribute, Result, Verdict};

/// How many prompts of each kind are shown.
const SHOWN: usize = 5;
const BINS: usize = 20;

/// A row of `generations/`.
#[derive(Debug, Deserialize)]
struct Continued {
    prompt: String,
    continuations: Vec<Text>,
}

#[derive(Debug, Deserialize)]
struct Text {
    text: String,
}

/// A row of `scores/`.
#[derive(Debug, Deserialize)]
struct Judged {
    verdicts: Vec<Verdict>,
}

/// The most toxic continuation of a prompt.
#[derive(Clone, Debug, PartialEq)]
struct Worst {
    value: f32,
    text: String,
}

/// A prompt before and after.
#[derive(Clone, Debug, PartialEq)]
struct Changed {
    prompt: String,
    before: Worst,
    after: Worst,
}

impl Changed {
    fn change(&self) -> f32 {
        self.after.value - self.before.value
    }
}

/// What was found in the parts of two models.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Continuations {
    before: Bins,
    after: Bins,
    /// Downwards, the largest first.
    improved: Vec<Changed>,
    /// Upwards, the largest first.
    worsened: Vec<Changed>,
}

impl Continuations {
    /// Reads the parts in two directories of one evaluator; `None` when there are none.
    ///
    /// # Errors
    /// When a part cannot be read.
    pub(super) fn read(before: &Path, after: &Path, attribute: &Attribute) -> Result<Option<Self>> {
        let mut found = Self {
            before: Bins::new(BINS),
            after: Bins::new(BINS),
            improved: Vec::new(),
            worsened: Vec::new(),
        };
        let [before, after] = [before, after].map(|root| ModelParts::new(root, attribute));
        let mut unit = 0;
        while before.contains(unit) && after.contains(unit) {
            let (rows_before, rows_after) =
                (before.read(unit, &mut found.before)?, after.read(unit, &mut found.after)?);
            for ((prompt, before), (_, after)) in rows_before.into_iter().zip(rows_after) {
                // A prompt without a score before or after has not changed: nobody knows.
                if let (Some(before), Some(after)) = (before, after) {
                    found.add(Changed { prompt, before, after });
                }
            }
            unit += 1;
        }
        Ok((unit > 0).then_some(found))
    }

    fn add(&mut self, changed: Changed) {
        let change = changed.change();
        if change < 0.0 {
            insert(&mut self.improved, changed, |one| one.change());
        } else if change > 0.0 {
            insert(&mut self.worsened, changed, |one| -one.change());
        }
    }

    /// The scores of all continuations.
    pub(super) fn picture(&self, subjects: [&str; 2], judged: &Evaluation) -> Picture {
        let judge = source(judged);
        let threshold =
            judged.provenance.settings.get("threshold").and_then(serde_json::Value::as_f64);
        let title = format!("Scores of all continuations by {judge}");
        let series = [(subjects[0], &self.before), (subjects[1], &self.after)];
        let names = ("score", "continuations, %");
        Picture {
            svg: histogram(&title, names, &series, threshold, Ground::Page),
            caption: format!(
                "{title}: {} of {} and {} of {}. What has no score is not here.",
                self.before.total(),
                subjects[0],
                self.after.total(),
                subjects[1]
            ),
        }
    }

    /// The prompts that changed most, behind a click; nothing where none changed.
    pub(super) fn blocks(&self, subjects: [&str; 2], judge: &str) -> Vec<Block> {
        let mut blocks = Vec::new();
        for (what, prompts) in [("improved", &self.improved), ("worsened", &self.worsened)] {
            if prompts.is_empty() {
                continue;
            }
            let columns = [
                "prompt".to_owned(),
                format!("{}: score", subjects[0]),
                "most toxic continuation".to_owned(),
                format!("{}: score", subjects[1]),
                "most toxic continuation".to_owned(),
            ];
            let caption = format!("Most {what} prompts by {judge}");
            let mut table = Table::new(caption.clone(), columns).of_prose();
            for Changed { prompt, before, after } in prompts {
                table.push(vec![
                    Cell::text(prompt.trim()),
                    Cell::number(format!("{:.3}", before.value)),
                    Cell::text(before.text.trim()),
                    Cell::number(format!("{:.3}", after.value)),
                    Cell::text(after.text.trim()),
                ]);
            }
            blocks.push(Block::Fold(Fold {
                summary: format!("{caption}. Warning: toxic text"),
                blocks: vec![Block::Table(table)],
                in_markdown: false,
            }));
        }
        blocks
    }
}

/// Keeps the few of the lowest keys, in order; of equal ones the first.
fn insert(kept: &mut Vec<Changed>, changed: Changed, key: impl Fn(&Changed) -> f32) {
    let place = kept.partition_point(|other| key(other) <= key(&changed));
    if place < SHOWN {
        kept.insert(place, changed);
        kept.truncate(SHOWN);
    }
}

/// The parts of one model.
struct ModelParts<'a> {
    generations: Parts,
    scores: Parts,
    attribute: &'a Attribute,
}

impl<'a> ModelParts<'a> {
    fn new(root: &Path, attribute: &'a Attribute) -> Self {
        let parts = |kind| Parts::new(root.join(kind));
        Self { generations: parts(GENERATIONS), scores: parts(SCORES), attribute }
    }

    fn contains(&self, unit: u64) -> bool {
        self.generations.contains(unit) && self.scores.contains(unit)
    }

    /// The unit's prompts, each with its worst continuation; all scores are counted.
    fn read(&self, unit: u64, bins: &mut Bins) -> Result<Vec<(String, Option<Worst>)>> {
        let generations: Vec<Continued> = self.generations.read(unit)?;
        let scores: Vec<Judged> = self.scores.read(unit)?;
        let rows = generations.into_iter().zip(scores).map(|(row, judged)| {
            let mut worst: Option<Worst> = None;
            for (continuation, verdict) in row.continuations.into_iter().zip(&judged.verdicts) {
                let Some(value) = verdict.get(self.attribute) else { continue };
                bins.add(value);
                if worst.as_ref().is_none_or(|worst| value > worst.value) {
                    worst = Some(Worst { value, text: continuation.text });
                }
            }
            (row.prompt, worst)
        });
        Ok(rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::test_values::evaluation;
    use super::*;

    /// Prompts with a value for each continuation, in units of two.
    fn write(root: &Path, prompts: &[(&str, &[Option<f32>])]) {
        for (unit, rows) in prompts.chunks(2).enumerate() {
            let generations: Vec<_> = rows
                .iter()
                .map(|(prompt, values)| {
                    let texts: Vec<_> = (0..values.len())
                        .map(|n| serde_json::json!({"text": format!("{prompt}{n}")}))
                        .collect();
                    serde_json::json!({"id": 0, "prompt": prompt, "continuations": texts})
                })
                .collect();
            let scores: Vec<_> = rows
                .iter()
                .map(|(_, values)| {
                    let verdicts: Vec<_> = values
                        .iter()
                        .map(|value| match value {
                            Some(value) => serde_json::json!({"scores": {"TOXICITY": value}}),
                            None => serde_json::json!({"unscored": {"reason": "blank"}}),
                        })
                        .collect();
                    serde_json::json!({"id": 0, "verdicts": verdicts})
                })
                .collect();
            Parts::new(root.join("generations")).write(unit as u64, &generations).unwrap();
            Parts::new(root.join("scores")).write(unit as u64, &scores).unwrap();
        }
    }

    #[test]
    fn the_largest_changes_come_first_and_missing_scores_are_no_change() {
        let directory = tempfile::tempdir().unwrap();
        let [before, after] = ["before", "after"].map(|name| directory.path().join(name));
        write(
            &before,
            &[
                ("a", &[Some(0.9), Some(0.1)]),
                ("b", &[Some(0.5)]),
                ("c", &[None]),
                ("d", &[Some(0.1), Some(0.2)]),
            ],
        );
        write(
            &after,
            &[("a", &[Some(0.8)]), ("b", &[Some(0.1)]), ("c", &[Some(1.0)]), ("d", &[Some(0.6)])],
        );
        let found = Continuations::read(&before, &after, &Attribute::TOXICITY).unwrap().unwrap();
        let prompts = |changed: &[Changed]| -> Vec<String> {
            changed.iter().map(|one| one.prompt.clone()).collect()
        };
        assert_eq!(prompts(&found.improved), ["b", "a"]);
        assert_eq!(prompts(&found.worsened), ["d"]);
        assert_eq!(found.worsened[0].before, Worst { value: 0.2, text: "d1".into() });
        assert_eq!((found.before.total(), found.after.total()), (5, 4));
        let page = super::super::Page { title: "t".into(), blocks: found.blocks(["x", "y"], "j") };
        assert_eq!(page.html().matches("<details>").count(), 2);
        assert!(!page.markdown().contains("d1"), "{}", page.markdown());
        let judged = evaluation("x", "j", Vec::new());
        assert!(found.picture(["x", "y"], &judged).caption.contains("5 of x and 4 of y"));
        let none = directory.path().join("none");
        assert_eq!(Continuations::read(&none, &after, &Attribute::TOXICITY).unwrap(), None);
    }

    #[test]
    fn only_a_few_are_kept_however_many_there_are() {
        let mut kept = Vec::new();
        for number in 0..20_u8 {
            let worst = |value: f32| Worst { value, text: String::new() };
            let after = worst(f32::from(number % 10) / 10.0);
            let changed = Changed { prompt: number.to_string(), before: worst(1.0), after };
            insert(&mut kept, changed, Changed::change);
        }
        let prompts: Vec<&str> = kept.iter().map(|one| one.prompt.as_str()).collect();
        assert_eq!(prompts, ["0", "10", "1", "11", "2"]);
    }
}
