use serde::Serialize;

use super::COMPONENT;
use crate::corpus::{DecisionRow, Document, ScoredDocument, ScoredTextRow, TextRow};
use crate::{Decision, Error, ErrorKind, Result, Verdict};

/// A row that can be selected: it has a text and is written out again, to the kept or the dropped.
///
/// # Contract
/// - It serialises as a JSON object without fields named `value`, `reason`, `scores` or `unscored`,
///   which are written beside its own.
pub trait Selectable: Serialize {
    /// The text that was scored.
    fn text(&self) -> &str;

    /// How many tokens it has, if the row says.
    fn tokens(&self) -> Option<usize>;
}

impl Selectable for Document {
    fn text(&self) -> &str {
        &self.text
    }

    fn tokens(&self) -> Option<usize> {
        Some(self.tokens)
    }
}

impl Selectable for TextRow {
    fn text(&self) -> &str {
        &self.text
    }

    fn tokens(&self) -> Option<usize> {
        self.fields.get("tokens")?.as_u64().and_then(|tokens| usize::try_from(tokens).ok())
    }
}

/// A filter's veto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The filter's name.
    pub by: String,
    /// The reason it gave.
    pub why: String,
}

/// A row with everything that was said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<R> {
    /// The row.
    pub row: R,
    /// What the scorer said.
    pub verdict: Verdict,
    /// The first filter that dropped it, if one did.
    pub dropped: Option<Dropped>,
}

impl<R> Candidate<R> {
    /// A row and its verdict, not dropped by any filter.
    #[must_use]
    pub const fn new(row: R, verdict: Verdict) -> Self {
        Self { row, verdict, dropped: None }
    }

    /// Adds the decision of the filter named `by`. The first drop counts.
    #[must_use]
    pub fn with_decision(mut self, by: &str, decision: Decision) -> Self {
        if let (None, Decision::Drop(why)) = (&self.dropped, decision) {
            self.dropped = Some(Dropped { by: by.to_owned(), why });
        }
        self
    }
}

impl From<ScoredTextRow> for Candidate<TextRow> {
    fn from(scored: ScoredTextRow) -> Self {
        let mut row = scored.row;
        // A file that was selected before has these; they would be written twice.
        row.fields.remove("value");
        row.fields.remove("reason");
        Self::new(row, scored.verdict)
    }
}

type Rows<'a, T> = Box<dyn Iterator<Item = Result<T>> + 'a>;

/// Puts documents, their verdicts and the decisions on them side by side, in step.
pub struct Candidates<'a> {
    documents: Rows<'a, Document>,
    verdicts: Rows<'a, ScoredDocument>,
    filters: Vec<(String, Rows<'a, DecisionRow>)>,
}

impl<'a> Candidates<'a> {
    /// Documents and verdicts, in the same order.
    pub fn new(
        documents: impl Iterator<Item = Result<Document>> + 'a,
        verdicts: impl Iterator<Item = Result<ScoredDocument>> + 'a,
    ) -> Self {
        Self { documents: Box::new(documents), verdicts: Box::new(verdicts), filters: Vec::new() }
    }

    /// Adds the decisions of the filter named `by`, in the documents' order.
    #[must_use]
    pub fn with_filter(
        mut self,
        by: impl Into<String>,
        decisions: impl Iterator<Item = Result<DecisionRow>> + 'a,
    ) -> Self {
        self.filters.push((by.into(), Box::new(decisions)));
        self
    }

    fn join(&mut self, document: Document) -> Result<Candidate<Document>> {
        let id = document.id;
        let scored = self.verdicts.next().transpose()?;
        let verdict = match scored {
            Some(row) if row.id == id => row.verdict,
            other => return Err(out_of_step(id, "verdict", other.map(|row| row.id))),
        };
        let mut candidate = Candidate::new(document, verdict);
        for (by, decisions) in &mut self.filters {
            candidate = match decisions.next().transpose()? {
                Some(row) if row.id == id => candidate.with_decision(by, row.decision),
                other => return Err(out_of_step(id, "decision", other.map(|row| row.id))),
            };
        }
        Ok(candidate)
    }
}

fn out_of_step(id: u64, what: &str, found: Option<u64>) -> Error {
    let message = match found {
        Some(found) => format!("document {id} stands beside the {what} on document {found}"),
        None => format!("no {what} on document {id}"),
    };
    Error::new(ErrorKind::Incompatible, COMPONENT, "join documents and verdicts", message)
        .with_key(format!("id {id}"))
        .with_remedy("the files are of different corpora, or one is incomplete: score it again")
}

impl Iterator for Candidates<'_> {
    type Item = Result<Candidate<Document>>;

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.documents.next()?;
        Some(document.and_then(|document| self.join(document)))
    }
}

impl std::fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidates").field("filters", &self.filters.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FinishReason, Unscored};

    fn document(id: u64) -> Result<Document> {
        Ok(Document {
            id,
            prompt: String::new(),
            text: format!("text {id}"),
            seed: 1,
            tokens: 2,
            finish: FinishReason::Stop,
        })
    }

    fn blank(id: u64) -> Result<ScoredDocument> {
        Ok(ScoredDocument { id, verdict: Verdict::Unscored(Unscored::Blank) })
    }

    fn decide(id: u64, why: Option<&str>) -> Result<DecisionRow> {
        let decision = why.map_or(Decision::Keep, |why| Decision::Drop(why.to_owned()));
        Ok(DecisionRow { id, decision })
    }

    #[test]
    fn rows_are_joined_by_number_and_the_first_drop_counts() {
        let first = [decide(0, None), decide(1, Some("a slur"))];
        let second = [decide(0, Some("spam")), decide(1, Some("spam"))];
        let joined: Result<Vec<_>> = Candidates::new(
            [document(0), document(1)].into_iter(),
            [blank(0), blank(1)].into_iter(),
        )
        .with_filter("slurs", first.into_iter())
        .with_filter("spam", second.into_iter())
        .collect();
        let drops: Vec<_> = joined.unwrap().into_iter().map(|c| c.dropped.unwrap()).collect();
        assert_eq!(drops[0], Dropped { by: "spam".into(), why: "spam".into() });
        assert_eq!(drops[1], Dropped { by: "slurs".into(), why: "a slur".into() });
    }

    #[test]
    fn files_out_of_step_are_refused_with_the_document() {
        let join = |verdicts: Vec<Result<ScoredDocument>>| {
            Candidates::new([document(0), document(1)].into_iter(), verdicts.into_iter())
                .collect::<Result<Vec<_>>>()
                .unwrap_err()
        };
        assert!(join(vec![blank(0)]).to_string().contains("no verdict on document 1"));
        let error = join(vec![blank(0), blank(2)]);
        assert!(error.to_string().contains("beside the verdict on document 2"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Incompatible);
    }
}
