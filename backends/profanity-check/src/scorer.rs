use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::{
    Attribute, Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Verdict, Worker,
    score_texts,
};

use crate::COMPONENT;
use crate::classifier::Classifier;

/// The published release whose weights these are.
const RELEASE: &str = "1.0.3";

/// The classifier `profanity-check` as a toxicity scorer of one attribute, TOXICITY: its published
/// meaning is the probability that a text is profane or offensive.
///
/// It scores [`Sample::text`] alone; the prompt is not read. A text is scored whole, however long;
/// the same text has the same bits, whatever is scored beside it.
///
/// A text takes microseconds, but a call of many long ones takes milliseconds, so one thread of the
/// scorer's own counts the words and async workers only wait.
#[derive(Debug)]
pub struct ProfanityCheck {
    info: Info,
    capabilities: ScorerCapabilities,
    classifier: Arc<Classifier>,
    worker: Worker,
}

impl ProfanityCheck {
    /// Unpacks the embedded weights and starts the scorer's thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new() -> Result<Self> {
        let classifier = Arc::new(Classifier::new()?);
        Ok(Self {
            info: Info::new(COMPONENT, RELEASE, classifier.digest().clone()),
            capabilities: ScorerCapabilities::new([Attribute::TOXICITY]),
            classifier,
            worker: Worker::spawn("detoxlm-profanity-check")?,
        })
    }
}

#[async_trait]
impl ToxicityScorer for ProfanityCheck {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let classifier = Arc::clone(&self.classifier);
        let value = move |text: &str| classifier.probability(text) as f32;
        score_texts(&self.worker, samples, Attribute::TOXICITY, value).await
    }
}
