//! JSON to a plugin's own settings. Messages name the key.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The settings of a plugin that has none: every key is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// A setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(String);

impl SettingsError {
    /// Says which key is wrong and what it may be: `minimum`, `must be at least 1`.
    #[must_use]
    pub fn new(key: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self(format!("`{key}`: {message}"))
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

/// Reads a JSON object. Keys that `S` would ignore are errors, so that no misspelt one is.
pub(crate) fn parse<S: DeserializeOwned>(json: &str) -> Result<S, SettingsError> {
    let object: Map<String, Value> = serde_json::from_str(json)
        .map_err(|e| SettingsError(format!("the settings are not a JSON object: {e}")))?;
    let mut unknown = None;
    let mut note = |key: serde_ignored::Path<'_>| {
        unknown.get_or_insert_with(|| key.to_string());
    };
    let settings = serde_ignored::Deserializer::new(Value::Object(object), &mut note);
    let settings = serde_path_to_error::deserialize(settings).map_err(|error| {
        match error.path().iter().next() {
            Some(_) => SettingsError::new(error.path(), error.inner()),
            None => SettingsError(error.inner().to_string()),
        }
    })?;
    match unknown {
        Some(key) => Err(SettingsError::new(key, "there is no such setting")),
        None => Ok(settings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default)]
    struct Lax {
        minimum: u32,
        inner: Inner,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Inner {
        words: Vec<String>,
    }

    impl Default for Lax {
        fn default() -> Self {
            Self { minimum: 1, inner: Inner::default() }
        }
    }

    fn refusal<S: DeserializeOwned + fmt::Debug>(json: &str) -> String {
        parse::<S>(json).unwrap_err().to_string()
    }

    #[test]
    fn objects_are_read() {
        assert_eq!(parse::<NoSettings>(" {} ").unwrap(), NoSettings {});
        let inner = Inner { words: vec!["blorp".into()] };
        let json = r#"{"minimum": 3, "inner": {"words": ["blorp"]}}"#;
        assert_eq!(parse::<Lax>(json).unwrap(), Lax { minimum: 3, inner });
    }

    #[test]
    fn messages_name_the_key() {
        let cases = [
            (r#"{"minimum": "3"}"#, "`minimum`: invalid type: string \"3\", expected u32"),
            (r#"{"minimum": -1}"#, "`minimum`: invalid value: integer `-1`, expected u32"),
            (r#"{"inner": {"words": [1]}}"#, "`inner.words[0]`: invalid type: integer `1`, "),
            (r#"{"minumum": 3}"#, "`minumum`: there is no such setting"),
            (r#"{"inner": {"words": [], "x": {}}}"#, "`inner.x`: there is no such setting"),
            ("[]", "the settings are not a JSON object: invalid type: sequence, expected a map"),
            ("{} {}", "the settings are not a JSON object: trailing characters"),
            ("", "the settings are not a JSON object: EOF"),
        ];
        for (json, expected) in cases {
            let refusal = refusal::<Lax>(json);
            assert!(refusal.starts_with(expected), "{json}: {refusal}");
        }
        let refusal = refusal::<NoSettings>(r#"{"minimum": 3}"#);
        assert!(refusal.contains("unknown field `minimum`, there are no fields"), "{refusal}");
    }
}
