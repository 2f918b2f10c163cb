use serde::{Deserialize, Serialize};

use super::COMPONENT;
use crate::training::{Bottleneck, Lora, Method, Prefix};
use crate::{Error, ErrorKind, Result};

/// How much of each work is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenchmarkConfig {
    /// Prompts that are continued as RealToxicityPrompts are: 25 times, with 20 tokens.
    pub prompts: usize,
    /// Documents that are written from nothing, rated and trained on.
    pub documents: usize,
    /// The most tokens of a document.
    pub document_tokens: usize,
    /// Tokens of a training sequence, those of a prefix included.
    pub sequence_length: usize,
    /// Sequences of a training step.
    pub batch_size: usize,
    /// Training steps that are timed; one more goes before them.
    pub steps: u64,
    /// How often generation and rating are repeated; the median counts.
    pub repeats: usize,
    /// The methods that are trained.
    pub methods: Vec<Method>,
}

impl Default for BenchmarkConfig {
    fn default() -> Self {
        Self {
            prompts: 4,
            documents: 64,
            document_tokens: 128,
            sequence_length: 256,
            batch_size: 4,
            steps: 4,
            repeats: 3,
            methods: vec![
                Method::Full {},
                Method::Bottleneck(Bottleneck::default()),
                Method::Lora(Lora::default()),
                Method::Prefix(Prefix::default()),
            ],
        }
    }
}

impl BenchmarkConfig {
    /// Tokens of a training sequence that are text: positions that a prefix takes are not.
    pub(super) fn text_length(&self, method: &Method) -> usize {
        match method {
            Method::Prefix(prefix) => self.sequence_length.saturating_sub(prefix.length).max(1),
            _ => self.sequence_length,
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        for (key, value) in [
            ("prompts", self.prompts),
            ("documents", self.documents),
            ("document_tokens", self.document_tokens),
            ("sequence_length", self.sequence_length),
            ("batch_size", self.batch_size),
            ("steps", usize::try_from(self.steps).unwrap_or(usize::MAX)),
            ("repeats", self.repeats),
        ] {
            if value == 0 {
                let message = "there must be at least 1";
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    COMPONENT,
                    "set up a benchmark",
                    message,
                )
                .with_key(key));
            }
        }
        Ok(())
    }
}
