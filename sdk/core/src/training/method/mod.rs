//! Which parameters are trained.

mod bottleneck;
mod lora;
mod prefix;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

pub use bottleneck::{Bottleneck, BottleneckActivation, BottleneckSize, Placement};
pub use lora::Lora;
pub use prefix::Prefix;

/// Which parameters are trained.
///
/// All methods but [`Method::Full`] leave the base model as it is and make an adapter: parameters
/// that are loaded in addition to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Method {
    /// All of the model's own.
    Full {},
    /// Small networks between its layers.
    Bottleneck(Bottleneck),
    /// Low-rank updates of its matrices.
    Lora(Lora),
    /// Keys and values that every position attends to.
    Prefix(Prefix),
}

impl Default for Method {
    fn default() -> Self {
        Self::Full {}
    }
}

impl Method {
    /// The names of all methods.
    pub const NAMES: [&str; 4] = ["full", "bottleneck", "lora", "prefix"];

    /// The name in configurations and capabilities.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Full {} => "full",
            Self::Bottleneck(_) => "bottleneck",
            Self::Lora(_) => "lora",
            Self::Prefix(_) => "prefix",
        }
    }

    /// Whether the result is an adapter, to be loaded with the base model, and not a model.
    #[must_use]
    pub const fn makes_adapter(&self) -> bool {
        !matches!(self, Self::Full {})
    }

    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Full {} => Ok(()),
            Self::Bottleneck(bottleneck) => bottleneck.validate(),
            Self::Lora(lora) => lora.validate(),
            Self::Prefix(prefix) => prefix.validate(),
        }
    }
}

/// An error about a key of a method.
fn impossible(key: &'static str, message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidConfig, "training", "set up the method", message).with_key(key)
}

/// Fails unless there is at least one of it.
fn at_least_one(key: &'static str, count: usize) -> Result<()> {
    if count == 0 { Err(impossible(key, "0 is not possible, only 1 or more")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> std::result::Result<Method, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_method_is_a_name_and_what_differs_from_the_defaults() {
        assert_eq!(read(r#"{"name": "full"}"#).unwrap(), Method::default());
        assert_eq!(read(r#"{"name": "lora"}"#).unwrap(), Method::Lora(Lora::default()));
        let lora = Lora { rank: 4, ..Lora::default() };
        assert_eq!(read(r#"{"name": "lora", "rank": 4}"#).unwrap(), Method::Lora(lora));
        let unknown = read(r#"{"name": "lora", "ranks": 4}"#).unwrap_err().to_string();
        assert!(unknown.contains("ranks"), "{unknown}");
        assert!(read(r#"{"name": "full", "rank": 4}"#).is_err());
    }

    #[test]
    fn names_are_those_of_the_methods() {
        for name in Method::NAMES {
            let method = read(&format!(r#"{{"name": "{name}"}}"#)).unwrap();
            assert_eq!(method.name(), name);
            method.validate().unwrap();
            let again = serde_json::to_string(&method).unwrap();
            assert_eq!(read(&again).unwrap(), method);
        }
    }

    #[test]
    fn impossible_values_are_named() {
        for (json, key) in [
            (r#"{"name": "lora", "rank": 0}"#, "method.rank"),
            (r#"{"name": "lora", "alpha": 0}"#, "method.alpha"),
            (r#"{"name": "lora", "dropout": 1}"#, "method.dropout"),
            (r#"{"name": "lora", "target_modules": ["a", "a"]}"#, "method.target_modules"),
            (r#"{"name": "prefix", "length": 0}"#, "method.length"),
            (r#"{"name": "prefix", "projection_width": 0}"#, "method.projection_width"),
            (r#"{"name": "bottleneck", "size": {"width": 0}}"#, "method.size.width"),
            (
                r#"{"name": "bottleneck", "size": {"reduction_factor": 0}}"#,
                "method.size.reduction_factor",
            ),
            (r#"{"name": "bottleneck", "up_spread": -1}"#, "method.up_spread"),
        ] {
            let error = read(json).unwrap().validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert_eq!(error.key(), Some(key), "{error}");
        }
    }
}
