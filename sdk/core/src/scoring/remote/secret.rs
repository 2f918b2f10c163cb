use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::{Error, ErrorKind, Result};

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// Shorter than any key there is: a text that holds so little by chance is left as it is.
const SHORTEST: usize = 8;

/// A key, or the value of a header that nobody may see. It has no `Display`, and its `Debug` shows
/// nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a secret, without the white space around it.
    ///
    /// # Errors
    /// When nothing is left, it is shorter than 8 characters, or one of them is not visible ASCII.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        let problem = if text.is_empty() {
            "is empty"
        } else if text.len() < SHORTEST {
            "is too short to be a key"
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            "has characters that no key has"
        } else {
            return Ok(Self(text.into()));
        };
        Err(Error::new(ErrorKind::InvalidConfig, "scoring", "take a key", problem))
    }

    /// The secret in an environment variable; `None` when it is not set.
    ///
    /// # Errors
    /// When it holds none; the variable is named.
    pub fn from_environment(variable: &'static str) -> Result<Option<Self>> {
        match std::env::var_os(variable) {
            None => Ok(None),
            Some(text) => Self::new(&text.to_string_lossy())
                .map(Some)
                .map_err(|error| error.with_key(variable)),
        }
    }

    /// The secret itself: for the wire, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({REDACTED})")
    }
}

/// Takes secrets out of what a service sends back: some repeat the key in their errors.
#[derive(Clone, Debug, Default)]
pub struct Redaction(Vec<Secret>);

impl Redaction {
    /// Takes out these, as they are and as addresses write them.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let forms = |secret: Secret| {
            let plain = secret.expose().to_owned();
            let encoded = [encode(&plain, "%20"), encode(&plain, "+")];
            encoded.into_iter().map(|form| Secret(form.into())).chain([secret])
        };
        Self(secrets.into_iter().flat_map(forms).collect())
    }

    /// A text without them.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), REDACTED))
    }

    /// Takes them out of all strings and names in a value.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                for (name, mut value) in std::mem::take(fields) {
                    self.value(&mut value);
                    fields.insert(self.text(&name), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A text as a part of an address's query.
fn encode(text: &str, space: &str) -> String {
    use fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push_str(space),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let secret = Secret::new(" AIza-secret+key \n").unwrap();
        assert_eq!(secret.expose(), "AIza-secret+key");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("AIza").count(), 0);
        for bad in ["", " ", "AIza-1", "AIza\nsecret-key", "AIza\u{e9}secret"] {
            let error = Secret::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(bad.trim().is_empty() || !error.to_string().contains(bad.trim()), "{error}");
        }
    }

    #[test]
    fn a_secret_is_taken_out_wherever_it_comes_back() {
        let secrets = ["AIza/secret+key", "Bearer a b c"].map(|text| Secret::new(text).unwrap());
        let redaction = Redaction::new(secrets);
        assert_eq!(
            redaction.text("?key=AIza%2Fsecret%2Bkey or AIza/secret+key, Bearer%20a%20b%20c"),
            "?key=[redacted] or [redacted], [redacted]"
        );
        let mut value = json!({"AIza/secret+key": ["key AIza/secret+key", 1, null], "a": "b"});
        redaction.value(&mut value);
        assert_eq!(value, json!({"[redacted]": ["key [redacted]", 1, null], "a": "b"}));
    }
}
