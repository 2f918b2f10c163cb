//! A scorer whose verdicts say which text they are about, and which can be held back.

use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::{
    Attribute, Digest, Error, ErrorKind, Info, Result, Sample, ScorerCapabilities, Scores,
    ToxicityScorer, Unscored, Verdict,
};
use tokio::sync::Semaphore;

/// The text's number of bytes, in ten-thousandths, and a tenth of that for all other attributes.
#[derive(Debug)]
pub(crate) struct Lengths {
    info: Info,
    capabilities: ScorerCapabilities,
    gate: Arc<Semaphore>,
}

impl Lengths {
    pub(crate) fn new() -> Self {
        Self {
            info: Info::new("lengths é", "7", Digest::of("lengths")),
            capabilities: ScorerCapabilities::new(Attribute::STANDARD).with_batch(16),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    /// Answers no call until it is let, one call for each permit.
    pub(crate) fn held(gate: &Arc<Semaphore>) -> Self {
        Self { gate: Arc::clone(gate), ..Self::new() }
    }

    pub(crate) fn toxicity(text: &str) -> f64 {
        f64::from(share(text))
    }
}

fn share(text: &str) -> f32 {
    (text.len() as f32 / 1e4).min(1.0)
}

#[async_trait]
impl ToxicityScorer for Lengths {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        self.gate.acquire().await.unwrap().forget();
        let fail = |kind, why| Err(Error::new(kind, "lengths", "score", why));
        samples
            .iter()
            .map(|sample| match sample.text.as_str() {
                "abstain" => Ok(Verdict::Unscored(Unscored::Abstained("a rule".into()))),
                "fail" => Ok(Verdict::Unscored(Unscored::Failed("no memory".into()))),
                "too long" => Ok(Verdict::Unscored(Unscored::TooLong)),
                "bonjour" => Ok(Verdict::Unscored(Unscored::Language("fr".into()))),
                "only a threat" => Ok(Scores::new([(Attribute::THREAT, 1.0)])?.into()),
                "unavailable" => fail(ErrorKind::Unavailable, "the upstream is away"),
                "denied" => fail(ErrorKind::Denied, "the upstream wants a key"),
                text => {
                    let value = share(text);
                    let scores = Attribute::STANDARD.map(|attribute| {
                        let is_first = attribute == Attribute::TOXICITY;
                        (attribute, if is_first { value } else { value / 10.0 })
                    });
                    Ok(Scores::new(scores)?.into())
                }
            })
            .collect()
    }
}
