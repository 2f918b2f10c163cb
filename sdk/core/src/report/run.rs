//! A run told to somebody who was not there.

use std::path::{Path, PathBuf};

use super::continuations::Continuations;
use super::headline::{Headline, headline};
use super::provenance::{self, intervals};
use super::recipe::{Annotators, steps};
use super::tradeoff::Subject;
use super::warnings::warnings;
use super::{Block, Fold, Page, Table, corpus, groups, losses, tasks, tradeoff};
use crate::evaluation::{
    Changes, Evaluation, comparisons, distinct, evaluation_folder, glossary, source,
    summary as summary_of,
};
use crate::pipeline::{PipelineConfig, RunSummary};
use crate::run::RunDirectory;
use crate::{Attribute, Result};

/// Tables of more rows are read only by those who ask for them.
const LONG: usize = 24;

/// Everything that a run's report tells of.
#[derive(Clone, Debug)]
pub(crate) struct RunStory<'a> {
    pub(crate) config: &'a PipelineConfig,
    pub(crate) annotators: &'a Annotators<'a>,
    pub(crate) summary: &'a RunSummary,
    pub(crate) run: &'a RunDirectory,
}

/// What came out, how it was made, and every number with what it is made of.
///
/// # Errors
/// When a file of the run cannot be read.
pub(crate) fn run_page(story: &RunStory<'_>) -> Result<Page> {
    let RunStory { config, annotators, summary, run } = story;
    let RunSummary { evaluations, changes, selection, .. } = summary;
    let filter = Some(annotators.scorer);
    let Headline { lead, caveat } = headline(evaluations, changes, filter);
    let mut blocks = vec![Block::Lead(lead)];
    if !caveat.is_empty() {
        blocks.push(Block::Paragraph(caveat));
    }
    let notes = warnings(evaluations, changes, filter);
    if !notes.is_empty() {
        blocks.push(Block::Notes(notes));
    }
    let first = summary_of(evaluations, changes);
    if !first.is_empty() {
        blocks.push(Block::Heading("What came out".into()));
        blocks.push(Block::Table(first));
        blocks.push(Block::Paragraph(intervals(evaluations)));
        blocks.extend(
            tradeoff::pictures(evaluations, &subjects(evaluations)).into_iter().map(Block::Picture),
        );
    }
    blocks.push(Block::Heading("How it was made".into()));
    blocks.push(Block::Steps(steps(config, annotators, summary)));
    blocks.push(Block::Subheading("The text it was trained on".into()));
    blocks.extend(corpus::blocks(&run.selection(), selection)?);
    if let Some(picture) = losses::picture(&run.training().join("metrics.jsonl"))? {
        blocks.push(Block::Subheading("Training".into()));
        blocks.push(Block::Picture(picture));
    }
    blocks.extend(what_they_wrote(evaluations, &run.evaluation())?);
    blocks.extend(measured(evaluations, changes, summary.false_positives.as_slice()));
    Ok(Page { title: "Detoxification run".into(), blocks })
}

/// The detoxified model was made of the base model.
fn subjects(evaluations: &[Evaluation]) -> Vec<Subject> {
    distinct(evaluations.iter().map(|evaluation| evaluation.subject.as_str()))
        .into_iter()
        .enumerate()
        .map(|(number, name)| (name.to_owned(), number.checked_sub(1)))
        .collect()
}

/// Tasks, groups, all figures, their meanings and what they are made of: of a run or of several, and of
/// the scorers that filtered (`filters`).
pub(super) fn measured(
    evaluations: &[Evaluation],
    changes: &[Changes],
    filters: &[Evaluation],
) -> Vec<Block> {
    let mut blocks = Vec::new();
    let all = [evaluations, filters].concat();
    if all.is_empty() {
        return blocks;
    }
    if let Some(table) = tasks::table(evaluations, changes) {
        blocks.push(Block::Heading("What the models can do".into()));
        blocks.push(Block::Table(table));
    }
    let groups = groups::blocks(evaluations, changes, filters);
    if !groups.is_empty() {
        blocks.push(Block::Heading("Groups of people".into()));
        blocks.extend(groups);
    }
    blocks.push(Block::Heading("Everything that was measured".into()));
    let tables = comparisons(evaluations, changes).into_iter().chain(comparisons(filters, &[]));
    blocks.extend(tables.map(folded_if_long));
    let meanings = meanings(&all);
    if !meanings.is_empty() {
        blocks.push(Block::Heading("What the numbers mean".into()));
        blocks.push(Block::Terms(meanings));
    }
    blocks.push(Block::Heading("What they are made of".into()));
    blocks.extend(provenance::tables(&all).into_iter().map(Block::Table));
    blocks
}

fn folded_if_long(table: Table) -> Block {
    if table.len() <= LONG {
        return Block::Table(table);
    }
    Block::Fold(Fold {
        summary: format!("{}: {} rows", table.caption(), table.len()),
        blocks: vec![Block::Table(table)],
        in_markdown: true,
    })
}

fn meanings(evaluations: &[Evaluation]) -> Vec<(String, String)> {
    let figures = evaluations.iter().flat_map(|evaluation| &evaluation.measurements);
    distinct(figures.filter_map(|figure| glossary(&figure.name)))
        .into_iter()
        .map(|entry| (format!("{} (`{}`)", entry.label, entry.name), format!("{}.", entry.meaning)))
        .collect()
}

/// Scores of what both models wrote, judge by judge, and the prompts that changed most.
fn what_they_wrote(evaluations: &[Evaluation], directory: &Path) -> Result<Vec<Block>> {
    let (mut pictures, mut prompts) = (Vec::new(), Vec::new());
    for before in evaluations {
        let made_of = &before.provenance;
        let Some(attribute) = attribute(before) else { continue };
        let Some(after) = evaluations.iter().find(|other| {
            other.provenance.evaluator.digest == made_of.evaluator.digest
                && other.subject != before.subject
        }) else {
            continue;
        };
        // Each pair once.
        if subjects(evaluations).first().is_none_or(|(first, _)| *first != before.subject) {
            continue;
        }
        let of = |evaluation: &Evaluation| -> PathBuf {
            directory.join(&evaluation.subject).join(evaluation_folder(&made_of.evaluator))
        };
        if let Some(found) = Continuations::read(&of(before), &of(after), &attribute)? {
            let subjects = [before.subject.as_str(), after.subject.as_str()];
            pictures.push(Block::Picture(found.picture(subjects, before)));
            prompts.extend(found.blocks(subjects, source(before)));
        }
    }
    let mut blocks = Vec::new();
    if !pictures.is_empty() {
        blocks.push(Block::Heading("What the models wrote".into()));
        blocks.extend(pictures);
    }
    if !prompts.is_empty() {
        blocks.push(Block::Subheading("Prompts that changed most".into()));
        blocks.push(Block::Paragraph(
            "Some change by chance alone, and the most changed most of all: these show what a change \
             looks like, not how common it is. What the models wrote may hurt, and is shown on a click."
                .into(),
        ));
        blocks.extend(prompts);
    }
    Ok(blocks)
}

/// Of evaluations that keep continuations with their scores: what was judged.
fn attribute(evaluation: &Evaluation) -> Option<Attribute> {
    let made_of = &evaluation.provenance;
    (made_of.evaluator.name == "toxicity")
        .then(|| made_of.settings.get("attribute")?.as_str()?.parse().ok())
        .flatten()
}
