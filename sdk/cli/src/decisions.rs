//! What filters say of the rows of a file, kept in another file: the rows are gone through several times,
//! and memory does not grow with them.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use detoxlm::calls::expect_answers;
use detoxlm::corpus::{JsonlReader, ScoredTextRow, TextRow};
use detoxlm::selection::Candidate;
use detoxlm::{Decision, Error, ErrorKind, Filter, Result, Sample};
use tempfile::NamedTempFile;

use crate::rows::{in_batches, sample};

/// The decisions of filters on the rows of a file, in their order.
#[derive(Debug)]
pub(crate) struct Decisions {
    names: Vec<String>,
    /// Nothing where there are no filters.
    file: Option<NamedTempFile>,
}

impl Decisions {
    /// Asks every filter about every row.
    ///
    /// # Errors
    /// When a row is malformed, a filter fails, or the decisions cannot be kept.
    pub(crate) async fn of(filters: &[Arc<dyn Filter>], rows: &Path) -> Result<Self> {
        let names = filters.iter().map(|filter| filter.info().name.clone()).collect();
        if filters.is_empty() {
            return Ok(Self { names, file: None });
        }
        let failed = |e| Error::io("command line", "keep decisions", std::env::temp_dir(), e);
        let mut file = tempfile::Builder::new()
            .prefix("detoxlm-")
            .suffix(".jsonl")
            .tempfile()
            .map_err(failed)?;
        for batch in in_batches::<ScoredTextRow>(rows)? {
            let samples: Vec<Sample> = batch?.iter().map(|scored| sample(&scored.row)).collect();
            let mut decisions: Vec<Vec<Decision>> = vec![Vec::new(); samples.len()];
            for filter in filters {
                let answers = filter.decide(&samples).await?;
                expect_answers(filter.info(), samples.len(), answers.len())?;
                decisions.iter_mut().zip(answers).for_each(|(of_row, answer)| of_row.push(answer));
            }
            for of_row in decisions {
                let line = serde_json::to_string(&of_row).map_err(|e| failed(e.into()))?;
                writeln!(file, "{line}").map_err(failed)?;
            }
        }
        file.flush().map_err(failed)?;
        Ok(Self { names, file: Some(file) })
    }

    /// Begins a pass.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn read(&self) -> Result<DecisionsInOrder<'_>> {
        let rows = self.file.as_ref().map(|file| JsonlReader::open(file.path())).transpose()?;
        Ok(DecisionsInOrder { names: &self.names, rows })
    }
}

/// A pass over decisions.
#[derive(Debug)]
pub(crate) struct DecisionsInOrder<'a> {
    names: &'a [String],
    rows: Option<JsonlReader<Vec<Decision>>>,
}

impl DecisionsInOrder<'_> {
    /// Adds what was decided on the next row.
    ///
    /// # Errors
    /// When there are fewer decisions than rows: the file has changed.
    pub(crate) fn join(&mut self, candidate: Candidate<TextRow>) -> Result<Candidate<TextRow>> {
        let Some(rows) = &mut self.rows else { return Ok(candidate) };
        let changed = || {
            Error::new(
                ErrorKind::Incompatible,
                "command line",
                "select",
                "the file has grown meanwhile",
            )
            .with_remedy("run it again when nobody writes to it")
        };
        let decisions = rows.next().ok_or_else(changed)??;
        let all = self.names.iter().zip(decisions);
        Ok(all
            .fold(candidate, |candidate, (name, decision)| candidate.with_decision(name, decision)))
    }
}
