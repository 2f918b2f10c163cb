use crate::Clause;

/// A sentence of a contract that an implementation does not keep.
#[derive(Debug, thiserror::Error)]
#[error("{clause} does not hold: {seen}")]
pub struct Violation {
    clause: Clause,
    seen: String,
    #[source]
    source: Option<detoxlm_core::Error>,
}

impl Violation {
    pub(crate) const fn new(clause: Clause, seen: String) -> Self {
        Self { clause, seen, source: None }
    }

    pub(crate) fn with_source(mut self, source: detoxlm_core::Error) -> Self {
        self.source = Some(source);
        self
    }

    /// The sentence.
    #[must_use]
    pub const fn clause(&self) -> Clause {
        self.clause
    }

    /// What the implementation did instead.
    #[must_use]
    pub fn seen(&self) -> &str {
        &self.seen
    }
}
