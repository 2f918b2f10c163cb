use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Appraiser, Continuations, Continued};
use crate::calls;
use crate::{Result, Sample, ToxicityScorer, Verdict};

pub(crate) const SCORES: &str = "scores";

/// The verdicts on a prompt's continuations, a row of `scores/part-NNNNN.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) id: u64,
    pub(crate) verdicts: Vec<Verdict>,
}

/// A scorer that is asked about continuations.
pub(in crate::evaluation) struct Judge<'a>(pub(in crate::evaluation) &'a dyn ToxicityScorer);

#[async_trait]
impl Appraiser for Judge<'_> {
    const KIND: &'static str = SCORES;
    type Row = Judged;

    async fn appraise(&self, rows: &[Continued]) -> Result<Vec<Judged>> {
        let samples: Vec<Sample> = rows
            .iter()
            .flat_map(|row| row.continuations.iter().map(move |c| (row, c)))
            .map(|(row, c)| Sample::new(c.text.clone()).with_prompt(row.prompt.clone()))
            .collect();
        let mut verdicts = calls::score(self.0, &samples).await?.into_iter();
        let judged = |row: &Continued| Judged {
            id: row.id,
            verdicts: verdicts.by_ref().take(row.continuations.len()).collect(),
        };
        Ok(rows.iter().map(judged).collect())
    }
}

/// A unit's verdicts, from disk.
pub(in crate::evaluation) fn judged(
    continuations: &Continuations,
    unit: usize,
) -> Result<Vec<Judged>> {
    continuations.rows(SCORES, unit, |row: &Judged| (row.id, row.verdicts.len()))
}
