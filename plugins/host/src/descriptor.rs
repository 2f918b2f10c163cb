//! Who a plugin says it is.

use detoxlm_core::{Attribute, Error, ErrorKind, Result};
use serde::Serialize;

use crate::{COMPONENT, bindings};

/// The most bytes of a name or version.
const NAME: usize = 64;
/// The most bytes of a summary.
const SUMMARY: usize = 400;
/// The most attributes of a plugin.
const ATTRIBUTES: usize = 64;

/// Who a plugin is, and what it may answer; checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Descriptor {
    /// A short name.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// The attributes that it gives values for, in its order; none for a plugin that only rejects.
    pub attributes: Vec<Attribute>,
    /// Whether it may reject a text.
    pub rejects: bool,
}

impl TryFrom<bindings::Descriptor> for Descriptor {
    type Error = Error;

    fn try_from(said: bindings::Descriptor) -> Result<Self> {
        let bindings::Descriptor { name, version, summary, attributes, rejects } = said;
        for (key, value) in [("name", &name), ("version", &version)] {
            let legal = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
            if value.is_empty() || value.len() > NAME || !value.chars().all(legal) {
                return Err(refuse("is not 1 to 64 letters, digits, `-`, `_`, `.` or `+`", key));
            }
        }
        if summary.len() > SUMMARY || summary.chars().any(char::is_control) {
            return Err(refuse("is not one line of at most 400 bytes", "summary"));
        }
        if attributes.len() > ATTRIBUTES {
            return Err(refuse("is more than 64 names", "attributes"));
        }
        let attributes: Vec<Attribute> =
            attributes.iter().map(|name| name.parse()).collect::<Result<_>>()?;
        for (at, attribute) in attributes.iter().enumerate() {
            if attributes[..at].contains(attribute) {
                return Err(refuse("names one twice", "attributes"));
            }
        }
        if attributes.is_empty() && !rejects {
            return Err(refuse(
                "has neither attributes nor `rejects`: it would say nothing",
                "attributes",
            ));
        }
        Ok(Self { name, version, summary, attributes, rejects })
    }
}

fn refuse(message: &'static str, key: &'static str) -> Error {
    Error::new(ErrorKind::Incompatible, COMPONENT, "accept a plugin's descriptor", message)
        .with_key(key)
        .with_remedy("this is a fault of the plugin: see `descriptor` in filter.wit")
}
