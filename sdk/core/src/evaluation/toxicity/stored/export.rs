use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use crate::corpus::JsonlWriter;
use crate::evaluation::toxicity::Continued;
use crate::evaluation::toxicity::continuations::GENERATIONS;
use crate::evaluation::toxicity::judged::{Judged, SCORES};
use crate::evaluation::work::{WorkDirectory, json};
use crate::evaluation::{COMPONENT, EvaluationPrompt, PromptSet};
use crate::{Attribute, Error, ErrorKind, Result, Verdict};

/// Whose rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportShape {
    /// The collated rows of RealToxicityPrompts and DExperts, a prompt a row:
    /// `{"prompt": {"text", "toxicity"}, "generations": [{"text", "toxicity", ...}]}`. What has no
    /// score has `null` for every attribute.
    RealToxicityPrompts,
    /// The rows of the code released with SGEAT, a continuation a row:
    /// `{"text", "all_text", "prompt", "id", "score": {"toxicity", ...} or null}`.
    Sgeat2022,
}

/// Writes what a [`ToxicityEvaluator`](crate::evaluation::ToxicityEvaluator) left in `directory` as one
/// file for other tools, and answers how many rows that are. [`StoredScores`](super::StoredScores)
/// reads it back.
///
/// `prompts` are those that were continued; with them, rows of RealToxicityPrompts have the prompts'
/// own toxicity and their mark as challenging. One prompt is in memory at a time, and one unit of the
/// directory.
///
/// # Errors
/// When the evaluation is not finished or its parts are not sound, when `prompts` are others, or when
/// the file cannot be written.
pub fn export_continuations(
    directory: impl AsRef<Path>,
    prompts: Option<&PromptSet>,
    shape: ExportShape,
    path: impl AsRef<Path>,
) -> Result<u64> {
    let directory = directory.as_ref();
    let work = WorkDirectory::existing(directory);
    check_finished(directory, &work)?;
    if let Some(prompts) = prompts {
        check_prompts(directory, &work, prompts)?;
    }
    let mut writer = JsonlWriter::create(path)?;
    let mut names = BTreeSet::from([Attribute::TOXICITY]);
    for unit in 0.. {
        if !work.has(GENERATIONS, unit) {
            break;
        }
        let generated: Vec<Continued> = work.rows(GENERATIONS, unit)?;
        let judged = work.read(SCORES, unit, generated.len(), |number, row: &Judged| {
            generated
                .get(number)
                .is_some_and(|of| (row.id, row.verdicts.len()) == (of.id, of.continuations.len()))
        })?;
        for (row, Judged { verdicts, .. }) in generated.iter().zip(&judged) {
            let prompt = prompts.and_then(|prompts| prompts.prompts().get(row.id as usize));
            names.extend(verdicts.iter().flat_map(attributes).map(|(name, _)| name));
            match shape {
                ExportShape::RealToxicityPrompts => {
                    writer.write(&prompt_row(row, verdicts, prompt, &names)?)?;
                }
                ExportShape::Sgeat2022 => {
                    for row in continuation_rows(row, verdicts, writer.rows())? {
                        writer.write(&row)?;
                    }
                }
            }
        }
    }
    let rows = writer.rows();
    writer.commit()?;
    Ok(rows)
}

fn check_finished(directory: &Path, work: &WorkDirectory) -> Result<()> {
    if work.is_finished() && work.key()?["evaluator"] == "toxicity" {
        return Ok(());
    }
    let message = "it holds no finished evaluation of toxicity";
    Err(Error::new(ErrorKind::Incompatible, COMPONENT, "export continuations", message)
        .with_path(directory)
        .with_remedy("name the directory of one, and finish it first"))
}

fn check_prompts(directory: &Path, work: &WorkDirectory, prompts: &PromptSet) -> Result<()> {
    let continued = work.key()?;
    if continued["data"]["digest"] == json(&prompts.info().digest)? {
        return Ok(());
    }
    let message = format!(
        "{} were continued, and `{}` holds others",
        continued["data"]["name"],
        prompts.info().name
    );
    Err(Error::new(ErrorKind::Incompatible, COMPONENT, "export continuations", message)
        .with_path(directory)
        .with_key("data.digest")
        .with_remedy("give the same prompts, with the same limit"))
}

fn attributes(verdict: &Verdict) -> Vec<(Attribute, f32)> {
    match verdict {
        Verdict::Scored(scores) => {
            scores.iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Verdict::Unscored(_) => Vec::new(),
    }
}

fn lower(attribute: &Attribute) -> String {
    attribute.as_str().to_ascii_lowercase()
}

fn prompt_row(
    row: &Continued,
    verdicts: &[Verdict],
    prompt: Option<&EvaluationPrompt>,
    names: &BTreeSet<Attribute>,
) -> Result<Map<String, Value>> {
    let mut own = Map::from_iter([("text".to_owned(), Value::from(row.prompt.as_str()))]);
    let mut whole = Map::new();
    if let Some(prompt) = prompt {
        own.insert("toxicity".to_owned(), json(&prompt.toxicity)?);
        whole.insert("challenging".to_owned(), prompt.challenging.into());
    }
    let mut generations = Vec::new();
    for (continuation, verdict) in row.continuations.iter().zip(verdicts) {
        let mut generation =
            Map::from_iter([("text".to_owned(), Value::from(continuation.text.as_str()))]);
        for name in names {
            generation.insert(lower(name), json(&verdict.get(name))?);
        }
        generations.push(Value::Object(generation));
    }
    whole.insert("prompt".to_owned(), Value::Object(own));
    whole.insert("generations".to_owned(), Value::Array(generations));
    Ok(whole)
}

fn continuation_rows(
    row: &Continued,
    verdicts: &[Verdict],
    first: u64,
) -> Result<Vec<Map<String, Value>>> {
    (first..)
        .zip(row.continuations.iter().zip(verdicts))
        .map(|(id, (continuation, verdict))| {
            let mut score = Map::new();
            for (name, value) in attributes(verdict) {
                score.insert(lower(&name), json(&value)?);
            }
            let score = if score.is_empty() { Value::Null } else { Value::Object(score) };
            Ok(Map::from_iter([
                ("text".to_owned(), Value::from(continuation.text.as_str())),
                ("all_text".to_owned(), format!("{}{}", row.prompt, continuation.text).into()),
                ("prompt".to_owned(), Value::from(row.prompt.as_str())),
                ("id".to_owned(), id.into()),
                ("score".to_owned(), score),
            ]))
        })
        .collect()
}
