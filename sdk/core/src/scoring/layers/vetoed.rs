use std::sync::Arc;

use async_trait::async_trait;

use crate::calls::expect_answers;
use crate::{
    Decision, DigestBuilder, Filter, Info, Result, Sample, ScorerCapabilities, ToxicityScorer,
    Unscored, Verdict,
};

/// Takes the score from texts that a filter drops: they are
/// [`Unscored::Abstained`](crate::Unscored), with the filter's name and reason, and so never kept. The
/// scorer is not asked about them.
#[derive(Clone, Debug)]
pub struct Vetoed {
    inner: Arc<dyn ToxicityScorer>,
    filter: Arc<dyn Filter>,
    info: Info,
}

impl Vetoed {
    /// A scorer under the veto of a filter.
    #[must_use]
    pub fn new(inner: Arc<dyn ToxicityScorer>, filter: Arc<dyn Filter>) -> Self {
        let (scorer, veto) = (inner.info(), filter.info());
        let mut digest = DigestBuilder::new();
        digest.update("veto").update(scorer.digest.as_str()).update(veto.digest.as_str());
        let name = format!("{} under {}", scorer.name, veto.name);
        let info = Info::new(name, env!("CARGO_PKG_VERSION"), digest.finish());
        Self { inner, filter, info }
    }
}

#[async_trait]
impl ToxicityScorer for Vetoed {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let decisions = self.filter.decide(samples).await?;
        expect_answers(self.filter.info(), samples.len(), decisions.len())?;
        let allowed: Vec<Sample> = samples
            .iter()
            .zip(&decisions)
            // What is blank is blank, whatever a filter thinks of it.
            .filter(|(sample, decision)| **decision == Decision::Keep || sample.is_blank())
            .map(|(sample, _)| sample.clone())
            .collect();
        let verdicts = self.inner.score(&allowed).await?;
        expect_answers(self.inner.info(), allowed.len(), verdicts.len())?;
        let mut verdicts = verdicts.into_iter();
        let verdict = |(sample, decision): (&Sample, Decision)| match decision {
            Decision::Drop(reason) if !sample.is_blank() => {
                let why = format!("{}: {reason}", self.filter.info().name);
                Some(Verdict::Unscored(Unscored::Abstained(why)))
            }
            _ => verdicts.next(),
        };
        Ok(samples.iter().zip(decisions).filter_map(verdict).collect())
    }
}
