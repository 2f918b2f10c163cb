use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Reads TOML. What is wrong with it is told by the error that `refuse` makes of a message, with its line.
///
/// # Errors
/// When the text is not TOML, or not of the type's keys and values.
pub fn parse_toml<T: DeserializeOwned>(
    text: &str,
    refuse: impl FnOnce(String) -> Error,
) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let error = refuse(e.message().trim_end().replace('\n', ", "));
        match e.span() {
            Some(span) => error.with_line(line_of(text, span.start)),
            None => error,
        }
    })
}

/// The number, from 1, of the line that holds a byte.
#[must_use]
pub fn line_of(text: &str, byte: usize) -> u64 {
    1 + text.bytes().take(byte).filter(|&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn what_is_wrong_has_its_line() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Known {
            #[serde(rename = "number")]
            _number: u32,
        }

        let read = |text: &str| {
            parse_toml::<Known>(text, |message| {
                Error::new(ErrorKind::InvalidConfig, "test", "read", message)
            })
        };
        assert!(read("number = 1\n").is_ok());
        assert_eq!(read("number = 1\n\nother = 2\n").unwrap_err().line_number(), Some(3));
        assert_eq!(read("number = 1\nnumber 2\n").unwrap_err().line_number(), Some(2));
    }
}
