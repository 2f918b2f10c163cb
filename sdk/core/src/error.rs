//! One error type for every trait: what failed, where, and what to do about it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// The result of everything fallible here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a program can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration key or argument has an impossible value.
    InvalidConfig,
    /// Data that was read is malformed: a JSON line, a truncated tensor file, a bad UTF-8 sequence.
    InvalidInput,
    /// A file, directory, model or registered name does not exist.
    NotFound,
    /// Two things that must fit each other do not: tensor shapes, vocabularies, digests, versions.
    Incompatible,
    /// The implementation cannot do this, whatever the arguments.
    Unsupported,
    /// Another process holds the run.
    Locked,
    /// Nothing is left to work on: an empty corpus, every document unscored.
    Empty,
    /// Training produced a loss or gradient that is not finite.
    Diverged,
    /// Reading or writing failed: permissions, a full disk.
    Io,
    /// A device has less memory left than is wanted.
    OutOfMemory,
    /// A service is temporarily unreachable or overloaded; the same call may succeed later.
    Unavailable,
    /// A service refuses the caller: key, quota, permission.
    Denied,
    /// The caller dropped or cancelled the work.
    Cancelled,
    /// A bug on our side; please report it.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed later without any change by the user.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

/// An error that names the component, the operation, the place and the remedy.
///
/// `Display` is one line; `source()` holds the cause, if another library raised it.
pub struct Error {
    inner: Box<Inner>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

struct Inner {
    kind: ErrorKind,
    component: Cow<'static, str>,
    operation: Cow<'static, str>,
    message: Cow<'static, str>,
    path: Option<PathBuf>,
    line: Option<u64>,
    key: Option<Cow<'static, str>>,
    remedy: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

impl Error {
    /// An error of `component` (a crate or backend, such as `candle`) while doing `operation`
    /// (a verb phrase, such as `load the model`).
    #[must_use]
    pub fn new(
        kind: ErrorKind,
        component: impl Into<Cow<'static, str>>,
        operation: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                component: component.into(),
                operation: operation.into(),
                message: message.into(),
                path: None,
                line: None,
                key: None,
                remedy: None,
                source: None,
            }),
        }
    }

    /// A failed read or write of `path`.
    #[must_use]
    pub fn io(
        component: impl Into<Cow<'static, str>>,
        operation: impl Into<Cow<'static, str>>,
        path: impl AsRef<Path>,
        source: std::io::Error,
    ) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
                ErrorKind::InvalidInput
            }
            _ => ErrorKind::Io,
        };
        let error = Self::new(kind, component, operation, source.to_string()).with_path(path);
        let remedy = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "free some space and run the same command again: it goes on from here"
            }
            std::io::ErrorKind::FileTooLarge => {
                "raise the limit on file sizes and run the same command again: it goes on from here"
            }
            _ => return error.with_source(source),
        };
        error.with_remedy(remedy).with_source(source)
    }

    /// Names the file or directory.
    #[must_use]
    pub fn with_path(mut self, path: impl AsRef<Path>) -> Self {
        self.inner.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Names the line of the file, counted from 1.
    #[must_use]
    pub fn with_line(mut self, line: u64) -> Self {
        self.inner.line = Some(line);
        self
    }

    /// Names the configuration key, tensor or record.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.inner.key = Some(key.into());
        self
    }

    /// Says what the user can do.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.inner.remedy = Some(remedy.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// What went wrong, as far as a program can act on it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call may succeed later without any change by the user.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.inner.kind.is_retryable()
    }

    /// The crate or backend that failed.
    #[must_use]
    pub fn component(&self) -> &str {
        &self.inner.component
    }

    /// What it was doing.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.inner.operation
    }

    /// What went wrong, in words, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The file or directory, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// The line of that file, counted from 1, if known.
    #[must_use]
    pub fn line_number(&self) -> Option<u64> {
        self.inner.line
    }

    /// The configuration key, tensor or record, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.inner.key.as_deref()
    }

    /// What the user can do, if we know.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.inner.remedy.as_deref()
    }

    fn line(&self) -> String {
        use fmt::Write as _;
        let inner = &self.inner;
        let mut text = format!("{}: cannot {}: ", inner.component, inner.operation);
        if let Some(path) = &inner.path {
            let _ = write!(text, "{}", path.display());
            if let Some(line) = inner.line {
                let _ = write!(text, ":{line}");
            }
            text.push_str(": ");
        }
        if let Some(key) = &inner.key {
            let _ = write!(text, "`{key}`: ");
        }
        text.push_str(&inner.message);
        if let Some(remedy) = &inner.remedy {
            let _ = write!(text, " ({remedy})");
        }
        text
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("component", &inner.component)
            .field("operation", &inner.operation)
            .field("message", &inner.message)
            .field("path", &inner.path)
            .field("line", &inner.line)
            .field("key", &inner.key)
            .field("remedy", &inner.remedy)
            .field("source", &inner.source)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_names_component_place_key_and_remedy() {
        let error = Error::new(ErrorKind::InvalidInput, "corpus", "read a document", "no `text`")
            .with_path("corpus.jsonl")
            .with_line(7)
            .with_key("text")
            .with_remedy("give every row a string field `text`");
        assert_eq!(
            error.to_string(),
            "corpus: cannot read a document: corpus.jsonl:7: `text`: no `text` \
             (give every row a string field `text`)"
        );
        assert!(!error.is_retryable());
    }

    #[test]
    fn the_cause_is_its_source() {
        let error = Error::new(ErrorKind::Internal, "candle", "load", "a tensor is wrong")
            .with_source(std::io::Error::other("shape mismatch"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("shape mismatch"));
    }

    #[test]
    fn a_full_disk_says_that_nothing_is_lost() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = Error::io("run", "write a part", "part-00000.jsonl", full);
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("goes on")));
    }
}
