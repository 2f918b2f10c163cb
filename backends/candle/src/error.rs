//! The core's error, with this backend's name filled in.

use std::borrow::Cow;

use detoxlm_core::{Error, ErrorKind};

pub(crate) const COMPONENT: &str = "candle";

/// An error of this backend.
pub(crate) fn error(
    kind: ErrorKind,
    operation: &'static str,
    message: impl Into<Cow<'static, str>>,
) -> Error {
    Error::new(kind, COMPONENT, operation, message)
}

/// What candle reports once shapes have been checked at loading is our mistake, not the user's.
pub(crate) fn internal(operation: &'static str) -> impl Fn(candle_core::Error) -> Error {
    move |e| error(ErrorKind::Internal, operation, e.to_string()).with_source(e)
}
