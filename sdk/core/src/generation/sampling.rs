use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// How the next token is drawn from the model's distribution.
///
/// The order is temperature, then top-k, then nucleus, then a draw; ties keep the lower token id
/// first. The defaults are SGEAT's self-generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// The most tokens to add, counted for each sequence on its own, never for the batch.
    pub max_new_tokens: usize,
    /// Logits are divided by it; 0 takes the most probable token (greedy).
    pub temperature: f32,
    /// Keep only the k most probable tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Nucleus sampling: keep the fewest most probable tokens whose probabilities add up to at least
    /// this much (Holtzman et al. 2020). The token that crosses the sum stays. 1 keeps all.
    pub top_p: f32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self::self_generation()
    }
}

impl Sampling {
    /// SGEAT's self-generation: up to 1000 tokens, top-p 0.9, temperature 1.
    #[must_use]
    pub const fn self_generation() -> Self {
        Self { max_new_tokens: 1000, temperature: 1.0, top_k: None, top_p: 0.9 }
    }

    /// RealToxicityPrompts: up to 20 tokens, top-p 0.9, temperature 1 (Gehman et al. 2020).
    #[must_use]
    pub const fn real_toxicity_prompts() -> Self {
        Self { max_new_tokens: 20, ..Self::self_generation() }
    }

    /// Greedy decoding of up to `max_new_tokens`.
    #[must_use]
    pub const fn greedy(max_new_tokens: usize) -> Self {
        Self { max_new_tokens, temperature: 0.0, top_k: None, top_p: 1.0 }
    }

    /// Sets the most tokens to add.
    #[must_use]
    pub const fn with_max_new_tokens(mut self, max_new_tokens: usize) -> Self {
        self.max_new_tokens = max_new_tokens;
        self
    }

    /// Sets the temperature.
    #[must_use]
    pub const fn with_temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets top-k.
    #[must_use]
    pub const fn with_top_k(mut self, top_k: usize) -> Self {
        self.top_k = Some(top_k);
        self
    }

    /// Sets the nucleus.
    #[must_use]
    pub const fn with_top_p(mut self, top_p: f32) -> Self {
        self.top_p = top_p;
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        let refuse = |key: &'static str, message: String| {
            Err(Error::new(ErrorKind::InvalidConfig, "core", "set up sampling", message)
                .with_key(key))
        };
        if self.max_new_tokens == 0 {
            return refuse("max_new_tokens", "must be at least 1".into());
        }
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return refuse("temperature", format!("{} is not 0 or more", self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return refuse("top_p", format!("{} is not in (0, 1]", self.top_p));
        }
        if self.top_k == Some(0) {
            return refuse("top_k", "must be at least 1; leave it out to keep all".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_name_their_key() {
        let cases = [
            (Sampling::default().with_max_new_tokens(0), "max_new_tokens"),
            (Sampling::default().with_temperature(-1.0), "temperature"),
            (Sampling::default().with_temperature(f32::NAN), "temperature"),
            (Sampling::default().with_top_p(0.0), "top_p"),
            (Sampling::default().with_top_p(1.1), "top_p"),
            (Sampling::default().with_top_k(0), "top_k"),
        ];
        for (sampling, key) in cases {
            assert_eq!(sampling.validate().unwrap_err().key(), Some(key));
        }
        assert!(Sampling::default().validate().is_ok());
        assert!(Sampling::greedy(1).validate().is_ok());
    }
}
