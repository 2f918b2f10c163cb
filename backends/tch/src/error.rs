//! The core's error, with this backend's name filled in.

use std::borrow::Cow;

use detoxlm_core::{Error, ErrorKind};
use tch::TchError;

pub(crate) const COMPONENT: &str = "tch";

/// An error of this backend.
pub(crate) fn error(
    kind: ErrorKind,
    operation: &'static str,
    message: impl Into<Cow<'static, str>>,
) -> Error {
    Error::new(kind, COMPONENT, operation, message)
}

/// What libtorch reports once shapes have been checked at loading is our mistake, unless the device
/// has run out of memory.
pub(crate) fn failed(operation: &'static str) -> impl Fn(TchError) -> Error {
    move |e| {
        let text = e.to_string();
        // A trace of C++ functions follows.
        let message = text.lines().next().unwrap_or_default().to_owned();
        if text.contains("out of memory") || text.contains("can't allocate memory") {
            return error(ErrorKind::OutOfMemory, operation, message)
                .with_remedy("use smaller batches or fewer rows, or gradient_checkpointing")
                .with_source(e);
        }
        error(ErrorKind::Internal, operation, message).with_source(e)
    }
}
