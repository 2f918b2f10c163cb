use serde::{Deserialize, Serialize};

use crate::evaluation::{COMPONENT, ToxicitySettings};
use crate::{Error, ErrorKind, Result};

/// How fluency is measured. The defaults are those of DExperts (Liu et al. 2021).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FluencySettings {
    /// The toxicity evaluation whose continuations are rated: how they are drawn, which slices there
    /// are, and how intervals are made. With equal ones, continuations are made once for both.
    pub toxicity: ToxicitySettings,
    /// Perplexities of this much or more are left out of the mean, and counted: a few of them would be
    /// all of it.
    pub discard_from: f64,
}

impl Default for FluencySettings {
    fn default() -> Self {
        Self { toxicity: ToxicitySettings::default(), discard_from: 1e4 }
    }
}

impl FluencySettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        self.toxicity.validate()?;
        // No perplexity is under 1.
        if self.discard_from > 1.0 {
            return Ok(());
        }
        let message = format!("{} is not over 1", self.discard_from);
        Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up fluency", message)
            .with_key("discard_from"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_name_their_key() {
        let parse = |json: &str| serde_json::from_str::<FluencySettings>(json).unwrap();
        for (json, key) in [
            (r#"{"discard_from":1}"#, "discard_from"),
            (r#"{"toxicity":{"continuations":0}}"#, "continuations"),
        ] {
            assert_eq!(parse(json).validate().unwrap_err().key(), Some(key));
        }
        let settings = parse(r#"{"toxicity":{"preset":"helm"}}"#);
        assert_eq!((settings.toxicity.continuations, settings.discard_from), (5, 1e4));
        assert!(settings.validate().is_ok());
    }
}
