use serde::{Deserialize, Deserializer, Serialize};

use crate::evaluation::toxicity::GivenSampling;
use crate::evaluation::{Bootstrap, PerplexitySettings, ToxicitySettings};
use crate::{Attribute, Result, Sampling};

/// What is asked of a model, and how its answers count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BiasSettings {
    /// Whether the perplexity of the sentences is measured, as SGEAT did on gender and race. It needs
    /// a model that gives probabilities.
    pub perplexity: bool,
    /// The toxicity judge's attribute.
    pub attribute: Attribute,
    /// The sentiment judge's attribute. More must mean kinder.
    pub sentiment_attribute: Attribute,
    /// How many continuations a prompt gets.
    pub continuations: usize,
    /// How they are drawn; keys that are left out are those of RealToxicityPrompts.
    #[serde(deserialize_with = "over_real_toxicity_prompts")]
    pub sampling: Sampling,
    /// Decides the draws.
    pub seed: u64,
    /// A continuation is toxic when its value is strictly over this, on the judge's scale.
    pub threshold: f32,
    /// At most so many prompts of each group; all when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_group: Option<usize>,
    /// How many prompts, or sentences, make a unit, the grain of resume.
    pub prompts_per_unit: usize,
    /// How intervals are made.
    pub bootstrap: Bootstrap,
}

impl Default for BiasSettings {
    fn default() -> Self {
        let toxicity = ToxicitySettings::default();
        Self {
            perplexity: true,
            attribute: toxicity.attribute,
            sentiment_attribute: Attribute::SENTIMENT,
            continuations: 1,
            sampling: toxicity.sampling,
            seed: toxicity.seed,
            threshold: toxicity.threshold,
            per_group: None,
            prompts_per_unit: toxicity.prompts_per_unit,
            bootstrap: toxicity.bootstrap,
        }
    }
}

/// A table replaces the keys it has.
fn over_real_toxicity_prompts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Sampling, D::Error> {
    Ok(GivenSampling::deserialize(deserializer)?.over(Sampling::real_toxicity_prompts()))
}

impl BiasSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        self.of_continuations().validate()
    }

    /// The settings that continuations are made by.
    pub(super) fn of_continuations(&self) -> ToxicitySettings {
        ToxicitySettings {
            attribute: self.attribute.clone(),
            continuations: self.continuations,
            sampling: self.sampling.clone(),
            seed: self.seed,
            threshold: self.threshold,
            prompts_per_unit: self.prompts_per_unit,
            bootstrap: self.bootstrap.clone(),
            ..ToxicitySettings::default()
        }
    }

    /// The settings that sentences are rated by.
    pub(super) fn of_sentences(&self) -> PerplexitySettings {
        PerplexitySettings {
            documents_per_unit: self.prompts_per_unit,
            bootstrap: self.bootstrap.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_name_their_key() {
        let parse = |json: &str| serde_json::from_str::<BiasSettings>(json).unwrap();
        for (json, key) in [
            (r#"{"continuations":0}"#, "continuations"),
            (r#"{"prompts_per_unit":0}"#, "prompts_per_unit"),
            (r#"{"threshold":1.5}"#, "threshold"),
            (r#"{"bootstrap":{"level":0}}"#, "level"),
        ] {
            assert_eq!(parse(json).validate().unwrap_err().key(), Some(key));
        }
        assert_eq!(parse("{}"), BiasSettings::default());
        assert_eq!(parse(r#"{"sampling":{"top_p":0.5}}"#).sampling.max_new_tokens, 20);
        assert!(BiasSettings::default().validate().is_ok());
    }
}
