use async_trait::async_trait;

use crate::{
    Attribute, Digest, Info, Result, Sample, ScorerCapabilities, Scores, ToxicityScorer, Unscored,
    Verdict,
};

/// Calls shouting toxic: the value of a text is the share of its letters that are capital.
///
/// A text that begins with a given letter is left unscored, so that missing scores occur.
#[derive(Debug)]
pub struct CapitalScorer {
    info: Info,
    capabilities: ScorerCapabilities,
    abstains_on: Option<char>,
}

impl CapitalScorer {
    /// A scorer that abstains only on blank texts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            info: Info::new("capitals", "1", Digest::of("capitals")),
            capabilities: ScorerCapabilities::new([Attribute::TOXICITY]),
            abstains_on: None,
        }
    }

    /// Leaves texts that begin with `first` unscored.
    #[must_use]
    pub fn abstaining_on(mut self, first: char) -> Self {
        self.info.digest = Digest::of(format!("capitals without {first}"));
        self.abstains_on = Some(first);
        self
    }
}

impl Default for CapitalScorer {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl ToxicityScorer for CapitalScorer {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        samples
            .iter()
            .map(|sample| {
                let text = &sample.text;
                if text.trim().is_empty() {
                    return Ok(Verdict::Unscored(Unscored::Blank));
                }
                if self.abstains_on.is_some_and(|first| text.starts_with(first)) {
                    return Ok(Verdict::Unscored(Unscored::Abstained("its first letter".into())));
                }
                let letters = text.chars().filter(|c| c.is_alphabetic()).count().max(1);
                let capitals = text.chars().filter(|c| c.is_uppercase()).count();
                Ok(Scores::new([(Attribute::TOXICITY, capitals as f32 / letters as f32)])?.into())
            })
            .collect()
    }
}
