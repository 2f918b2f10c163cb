//! The core's error, with this crate's name filled in.

use std::borrow::Cow;

use detoxlm_core::{Error, ErrorKind};

pub(crate) const COMPONENT: &str = "transformer";

/// An error of this crate.
pub(crate) fn error(
    kind: ErrorKind,
    operation: &'static str,
    message: impl Into<Cow<'static, str>>,
) -> Error {
    Error::new(kind, COMPONENT, operation, message)
}
