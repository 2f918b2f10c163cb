use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_core::{
    Attribute, Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Verdict, Worker,
    score_texts,
};

use crate::COMPONENT;
use crate::lexicon::Lexicon;
use crate::rules::compound;

/// The published release whose lexicon and rules these are.
const RELEASE: &str = "3.3.2";

/// VADER as a scorer of one attribute, [`SENTIMENT`](Attribute::SENTIMENT).
///
/// It scores [`Sample::text`] alone; the prompt is not read. A text is scored whole, however long: the
/// rules were made for sentences, and the sum over many of them is soon near an end of the scale. A text
/// without a word of the lexicon is neutral, 0.5, as published. Only English is read.
#[derive(Debug)]
pub struct Vader {
    info: Info,
    capabilities: ScorerCapabilities,
    lexicon: Arc<Lexicon>,
    /// Async workers only wait: a call of many texts takes milliseconds.
    worker: Worker,
}

impl Vader {
    /// Unpacks the embedded lexicon and starts the scorer's thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new() -> Result<Self> {
        let (lexicon, digest) = Lexicon::embedded()?;
        Ok(Self {
            info: Info::new(COMPONENT, RELEASE, digest),
            capabilities: ScorerCapabilities::new([Attribute::SENTIMENT]),
            lexicon: Arc::new(lexicon),
            worker: Worker::spawn("detoxlm-vader")?,
        })
    }
}

#[async_trait]
impl ToxicityScorer for Vader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let lexicon = Arc::clone(&self.lexicon);
        let value = move |text: &str| f64::midpoint(compound(text, &lexicon), 1.0) as f32;
        score_texts(&self.worker, samples, Attribute::SENTIMENT, value).await
    }
}
