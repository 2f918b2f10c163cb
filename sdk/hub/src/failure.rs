//! What `hf-hub`'s errors mean: to the user, and for the next attempt.

use std::io;
use std::path::Path;

use detoxlm_core::{Error, ErrorKind};
use hf_hub::api::sync::ApiError;

use crate::COMPONENT;
use crate::reference::ModelName;

const OPERATION: &str = "fetch the model";

/// What helps after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing that we could do.
    GiveUp,
    /// The same again, from where it broke off.
    GoOn,
    /// What has come so far is of no use.
    BeginAgain,
}

/// A failed request or download.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) next: Next,
}

impl Failure {
    pub(crate) fn of(cause: ApiError, name: &ModelName, with_token: bool) -> Self {
        let (kind, message, remedy, next) = describe(&cause, name, with_token);
        let error = Error::new(kind, COMPONENT, OPERATION, message).with_key(name.to_string());
        let error = if remedy.is_empty() { error } else { error.with_remedy(remedy) };
        Self { error: error.with_source(cause), next }
    }

    /// A file that came whole and is not what was announced.
    pub(crate) fn damaged(file: &str) -> Self {
        let message = "what came is not what the Hub announced";
        let error = Error::new(ErrorKind::Unavailable, COMPONENT, OPERATION, message);
        Self { error: error.with_key(file.to_owned()), next: Next::BeginAgain }
    }

    /// A file of ours that cannot be read or written.
    pub(crate) fn local(path: &Path, cause: io::Error) -> Self {
        Self { error: Error::io(COMPONENT, OPERATION, path, cause), next: Next::GiveUp }
    }
}

type Description = (ErrorKind, String, String, Next);

fn describe(cause: &ApiError, name: &ModelName, with_token: bool) -> Description {
    let unreachable = |e: &dyn std::fmt::Display| {
        let remedy = "check the network and HF_ENDPOINT; the same call goes on from here";
        (
            ErrorKind::Unavailable,
            format!("the Hub is not reachable: {e}"),
            remedy.to_owned(),
            Next::GoOn,
        )
    };
    let strange = |e: &ApiError| {
        let remedy = "check HF_ENDPOINT".to_owned();
        (
            ErrorKind::Incompatible,
            format!("this is not how a Hub answers: {e}"),
            remedy,
            Next::GiveUp,
        )
    };
    match cause {
        ApiError::RequestError(cause) => match &**cause {
            ureq::Error::StatusCode(status) => of_status(*status, name, with_token),
            ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl | ureq::Error::Http(_) => (
                ErrorKind::InvalidConfig,
                format!("the Hub cannot be asked: {cause}"),
                "check HF_ENDPOINT, HF_TOKEN and the proxy's variables".to_owned(),
                Next::GiveUp,
            ),
            ureq::Error::Json(e) => (
                ErrorKind::Incompatible,
                format!("the Hub's answer is malformed: {e}"),
                "check HF_ENDPOINT".to_owned(),
                Next::GiveUp,
            ),
            cause => unreachable(cause),
        },
        ApiError::IoError(cause) if is_local(cause) => {
            let error = Error::io(COMPONENT, OPERATION, "", io::Error::from(cause.kind()));
            let remedy = error.remedy().unwrap_or_default().to_owned();
            (error.kind(), format!("the cache cannot be written: {cause}"), remedy, Next::GiveUp)
        }
        ApiError::IoError(cause) => unreachable(cause),
        ApiError::InvalidResume => {
            (ErrorKind::Unavailable, cause.to_string(), String::new(), Next::BeginAgain)
        }
        ApiError::LockAcquisition(path) => (
            ErrorKind::Locked,
            format!("another process downloads to {}", path.display()),
            "wait for it or stop it".to_owned(),
            Next::GiveUp,
        ),
        cause => strange(cause),
    }
}

fn of_status(status: u16, name: &ModelName, with_token: bool) -> Description {
    let refused = |message: &str, remedy: &str| {
        (ErrorKind::Denied, message.to_owned(), remedy.to_owned(), Next::GiveUp)
    };
    match status {
        // The Hub hides private models, and with them misspelt names, from those without a token.
        401 if !with_token => refused(
            "there is no such model on the Hub, or it is private or gated",
            "check the name; for a private or gated model set HF_TOKEN and accept the licence on \
             the model's page",
        ),
        401 => refused(
            "the Hub refuses the token, or there is no such model",
            "check the name, and HF_TOKEN or the file token in HF_HOME",
        ),
        403 => refused(
            "the Hub lets only those in who have been granted access",
            "accept the licence on the model's page, and set HF_TOKEN to a token of that account",
        ),
        404 => {
            let what = if name.is_main() { "model" } else { "model or revision" };
            let remedy = "check the name".to_owned();
            (
                ErrorKind::NotFound,
                format!("there is no such {what} on the Hub"),
                remedy,
                Next::GiveUp,
            )
        }
        // The part that is there is not of this file, or is all of it.
        416 => (
            ErrorKind::Unavailable,
            "the download cannot be gone on with".to_owned(),
            String::new(),
            Next::BeginAgain,
        ),
        429 | 500..=599 => (
            ErrorKind::Unavailable,
            format!("the Hub answers with status {status}"),
            "try again later; the same call goes on from here".to_owned(),
            Next::GoOn,
        ),
        _ => (
            ErrorKind::Incompatible,
            format!("the Hub answers with status {status}"),
            "check HF_ENDPOINT".to_owned(),
            Next::GiveUp,
        ),
    }
}

/// Whether it is our disk that failed; all else of a download is the connection.
fn is_local(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::NotFound
            | io::ErrorKind::AlreadyExists
    )
}
