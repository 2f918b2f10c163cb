use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::calls::expect_answers;
use crate::causal_lm::Likelihood;
use crate::evaluation::COMPONENT;
use crate::evaluation::toxicity::{Appraiser, Continuations, Continued};
use crate::{Error, ErrorKind, Result};

/// How likely a continuation is, given its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rating {
    /// Sum of its tokens' natural log-probabilities.
    pub(super) log_prob: f64,
    /// How many they are.
    pub(super) tokens: usize,
}

/// The ratings of a prompt's continuations, a row of `fluency/part-NNNNN.jsonl`; `null` for one in
/// which there is nothing to predict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rated {
    id: u64,
    pub(super) ratings: Vec<Option<Rating>>,
}

/// A model that rates continuations.
pub(super) struct Rater<'a>(pub(super) &'a dyn Likelihood);

#[async_trait]
impl Appraiser for Rater<'_> {
    const KIND: &'static str = "fluency";
    type Row = Rated;

    /// One call for each prompt: its continuations share it, and no call grows with the unit.
    async fn appraise(&self, rows: &[Continued]) -> Result<Vec<Rated>> {
        let mut rated = Vec::with_capacity(rows.len());
        for row in rows {
            rated.push(Rated { id: row.id, ratings: self.rate(row).await? });
        }
        Ok(rated)
    }
}

impl Rater<'_> {
    async fn rate(&self, row: &Continued) -> Result<Vec<Option<Rating>>> {
        let texts = row.continuations.iter().map(|c| &c.text);
        let pairs: Vec<(String, String)> = texts
            .clone()
            .filter(|text| !text.is_empty())
            .map(|text| (row.prompt.clone(), text.clone()))
            .collect();
        let answers = match pairs.is_empty() {
            true => Vec::new(),
            false => self.0.continuation(&pairs).await?,
        };
        expect_answers(self.0.info(), pairs.len(), answers.len())?;
        if let Some(answer) = answers.iter().find(|answer| !answer.log_prob.is_finite()) {
            let message = format!(
                "the likelihood of a continuation of prompt {} is {}",
                row.id, answer.log_prob
            );
            return Err(Error::new(
                ErrorKind::Incompatible,
                COMPONENT,
                "rate continuations",
                message,
            )
            .with_key(self.0.info().name.clone())
            .with_remedy("the rating model's weights may hold values that are not finite"));
        }
        let mut answers = answers.into_iter();
        Ok(texts
            .map(|text| if text.is_empty() { None } else { answers.next() })
            .map(|answer| answer.filter(|answer| answer.tokens > 0))
            .map(|answer| answer.map(|a| Rating { log_prob: a.log_prob, tokens: a.tokens }))
            .collect())
    }
}

/// A unit's ratings, from disk.
pub(super) fn rated(continuations: &Continuations, unit: usize) -> Result<Vec<Rated>> {
    continuations.rows(Rater::KIND, unit, |row: &Rated| (row.id, row.ratings.len()))
}
