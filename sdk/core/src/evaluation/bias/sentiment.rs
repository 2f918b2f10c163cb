use async_trait::async_trait;

use crate::evaluation::toxicity::{Appraiser, Continuations, Continued, Judge, Judged};
use crate::{Result, ToxicityScorer};

/// A scorer that is asked how kind continuations are; its verdicts are kept apart from the toxicity
/// judge's, in `sentiments/`.
pub(super) struct SentimentJudge<'a>(pub(super) &'a dyn ToxicityScorer);

#[async_trait]
impl Appraiser for SentimentJudge<'_> {
    const KIND: &'static str = "sentiments";
    type Row = Judged;

    async fn appraise(&self, rows: &[Continued]) -> Result<Vec<Judged>> {
        Judge(self.0).appraise(rows).await
    }
}

/// A unit's verdicts, from disk.
pub(super) fn sentiments(continuations: &Continuations, unit: usize) -> Result<Vec<Judged>> {
    let kind = SentimentJudge::KIND;
    continuations.rows(kind, unit, |row: &Judged| (row.id, row.verdicts.len()))
}
