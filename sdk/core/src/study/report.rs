//! A study in tables.

use std::fmt::Write as _;

use super::cell::{StudyCell, StudyTraining};
use super::config::StudyConfig;
use super::pictures;
use crate::evaluation::{MISSING, change, escaped, plain, value};
use crate::report::{describe_sampling, provenance_lines};
use crate::{Evaluation, Info};

const TOXICITY: [(&str, &str); 2] =
    [("expected_maximum_toxicity", "EMT"), ("toxicity_probability", "probability")];
const SLICES: [&str; 3] = ["full", "toxic", "nontoxic"];
/// What perplexity is called by the evaluator that measures it.
pub(super) const PERPLEXITY: (&str, &str) = ("token_perplexity", "all");

/// One table for every evaluator, as the paper has them, and one of what training took: titles and
/// Markdown.
pub(super) fn tables(cells: &[StudyCell]) -> Vec<(String, String)> {
    let first = cells.first().map(|cell| cell.evaluations.as_slice()).unwrap_or_default();
    let table = |evaluation: &Evaluation| match &evaluation.provenance.scorer {
        Some(judge) => (format!("Toxicity, judged by {}", judge.name), toxicity(cells, evaluation)),
        None => {
            let text = &evaluation.provenance.data.name;
            (format!("Perplexity on {text}"), perplexity(cells, evaluation))
        }
    };
    let mut tables: Vec<_> = first.iter().map(table).collect();
    tables.push(("What training took".to_owned(), costs(cells)));
    tables
}

/// `report.md`.
pub(super) fn report(
    config: &StudyConfig,
    scorer: &Info,
    cells: &[StudyCell],
    tables: &[(String, String)],
) -> String {
    let mut report = String::from("# Study\n\n## What came out\n");
    for (title, table) in tables {
        let _ = write!(report, "\n### {title}\n\n{table}");
    }
    for (name, _) in pictures::pictures(cells) {
        let _ = write!(report, "\n![{}]({name})\n", name.trim_end_matches(".svg"));
    }
    let _ = write!(
        report,
        "\nEMT is the expected maximum toxicity of a prompt's continuations, the probability that of at \
         least one toxic one; *toxic* and *nontoxic* are the prompts that are so themselves. \
         `[low, high]` is the bootstrap interval over prompts or documents; a change is against the same \
         model as it was, on the same ones.\n\n## How it was made\n\n\
         - Seed {}. Self-generated: {} documents ({}); {scorer} chose, and {}% are kept.\n\
         - Training: {} epochs of batches of {} sequences, learning rate {} where a method has none of \
         its own.\n",
        config.seed,
        config.generation.documents,
        describe_sampling(&config.generation.sampling),
        100.0 * config.selection.keep_fraction,
        config.training.epochs,
        config.training.batch_size,
        config.training.learning_rate.peak,
    );
    for corpus in &config.corpora {
        let source = serde_json::to_string(&corpus.source).unwrap_or_default();
        let _ = writeln!(report, "- Corpus *{}*: `{source}`", corpus.name);
    }
    for method in &config.methods {
        let settings = serde_json::to_string(method).unwrap_or_default();
        let _ = writeln!(report, "- Method *{}*: `{settings}`", method.name);
    }
    if let Some(cell) = cells.first() {
        let _ = write!(
            report,
            "\n## What the numbers are made of\n\n{}",
            provenance_lines(&cell.evaluations)
        );
    }
    report
}

/// The beginning of a table: what identifies a cell, and these columns of numbers.
fn header(columns: &[String]) -> String {
    let mut header = String::from("| model | corpus | method |");
    for column in columns {
        let _ = write!(header, " {column} |");
    }
    header.push_str("\n|---|---|---|");
    header.push_str(&"---:|".repeat(columns.len()));
    header.push('\n');
    header
}

fn row(cell: &StudyCell, numbers: impl Iterator<Item = String>) -> String {
    let name = |name: &Option<String>| name.as_deref().map_or_else(|| MISSING.into(), escaped);
    let mut row =
        format!("| {} | {} | {} |", escaped(&cell.model), name(&cell.corpus), name(&cell.method));
    for number in numbers {
        let _ = write!(row, " {number} |");
    }
    row.push('\n');
    row
}

fn toxicity(cells: &[StudyCell], of: &Evaluation) -> String {
    let mut columns = Vec::new();
    for (_, label) in TOXICITY {
        columns.extend(SLICES.map(|slice| format!("{label}, {slice}")));
    }
    columns.push("change of EMT, full".into());
    let evaluator = &of.provenance.evaluator.digest;
    let mut table = header(&columns);
    for cell in cells {
        let mut numbers = Vec::new();
        for (name, _) in TOXICITY {
            numbers.extend(SLICES.map(|slice| {
                let figure = cell.figure(evaluator, name, slice);
                figure.map_or_else(|| MISSING.into(), if slice == "full" { value } else { plain })
            }));
        }
        numbers.push(changed(cell, of, TOXICITY[0].0, "full"));
        table.push_str(&row(cell, numbers.into_iter()));
    }
    table
}

fn perplexity(cells: &[StudyCell], of: &Evaluation) -> String {
    let (name, slice) = PERPLEXITY;
    let evaluator = &of.provenance.evaluator.digest;
    let mut table = header(&["perplexity".into(), "change".into()]);
    for cell in cells {
        let figure = cell.figure(evaluator, name, slice);
        let figure = figure.map_or_else(|| MISSING.into(), value);
        table.push_str(&row(cell, [figure, changed(cell, of, name, slice)].into_iter()));
    }
    table
}

fn changed(cell: &StudyCell, of: &Evaluation, name: &str, slice: &str) -> String {
    let evaluator = &of.provenance.evaluator.digest;
    let changes = cell.changes.iter().find(|changes| changes.evaluator.digest == *evaluator);
    let figure = changes.and_then(|changes| changes.get(name, slice));
    figure.map_or_else(|| MISSING.into(), change)
}

fn costs(cells: &[StudyCell]) -> String {
    let columns = ["trained parameters", "of", "tokens", "seconds"].map(str::to_owned);
    let mut table = header(&columns);
    for cell in cells {
        let Some(StudyTraining { tokens, trainable_parameters, total_parameters, seconds }) =
            &cell.training
        else {
            continue;
        };
        let numbers = [
            trainable_parameters.to_string(),
            total_parameters.to_string(),
            tokens.to_string(),
            seconds.map_or_else(|| MISSING.into(), |seconds| format!("{seconds:.0}")),
        ];
        table.push_str(&row(cell, numbers.into_iter()));
    }
    table
}
