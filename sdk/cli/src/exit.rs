//! How the process ends: one code for each thing that a script could act on.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use detoxlm::{Error, ErrorKind};
use serde_json::{Value, json};

/// What `--help` says of exit codes.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done
  1    another error
  2    a wrong argument or configuration
  3    malformed, empty or unfitting data
  4    a file, directory, model or name is not there
  5    another process holds the run
  6    the training diverged
  7    reading or writing failed
  130  interrupted";

/// What an interruption by the user ends in, by convention 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code of a kind of error.
pub(crate) const fn code_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidConfig | ErrorKind::Unsupported => 2,
        ErrorKind::InvalidInput | ErrorKind::Incompatible | ErrorKind::Empty => 3,
        ErrorKind::NotFound => 4,
        ErrorKind::Locked => 5,
        ErrorKind::Diverged => 6,
        ErrorKind::Io => 7,
        _ => 1,
    }
}

/// The error for people: what failed, because of what, and what helps.
pub(crate) fn describe(error: &Error) -> String {
    let line = line_of(error);
    let mut text = format!("error: {line}\n");
    for cause in causes(line, error) {
        let _ = writeln!(text, "caused by: {cause}");
    }
    if let Some(remedy) = error.remedy() {
        let _ = writeln!(text, "help: {remedy}");
    }
    text
}

/// The causes that say more than `shown`, which has been said already: errors of the system are
/// quoted by those that they cause.
fn causes(mut shown: String, error: &dyn StdError) -> Vec<String> {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let line = cause.to_string();
        if !shown.contains(&line) {
            causes.push(line.clone());
            shown = line;
        }
        source = cause.source();
    }
    causes
}

/// The error for programs.
pub(crate) fn to_json(error: &Error) -> Value {
    json!({
        "error": {
            "exit_code": code_of(error.kind()),
            "message": line_of(error),
            "path": error.path(),
            "line": error.line_number(),
            "key": error.key(),
            "help": error.remedy(),
        }
    })
}

/// The line without the remedy, which has a line of its own.
fn line_of(error: &Error) -> String {
    let line = error.to_string();
    let remedy = error.remedy().map(|remedy| format!(" ({remedy})"));
    match remedy.and_then(|remedy| line.strip_suffix(&remedy).map(str::to_owned)) {
        Some(bare) => bare,
        None => line,
    }
}

/// Whether whoever read our standard output has gone, as `head` does: no failure of ours.
pub(crate) fn is_closed_pipe(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    error.path() == Some(Path::new("-"))
        && cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_told_once_and_a_quoted_cause_not_again() {
        let denied = io::Error::other("permission denied");
        let error = Error::io("files", "write", "out.jsonl", denied).with_remedy("choose another");
        assert_eq!(
            describe(&error),
            "error: files: cannot write: out.jsonl: permission denied\nhelp: choose another\n"
        );
        assert_eq!(to_json(&error)["error"]["exit_code"], 7);
    }

    #[derive(Debug)]
    struct Layered(&'static str, io::Error);

    impl std::fmt::Display for Layered {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Layered {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn causes_that_say_more_are_listed() {
        let error = Layered("cannot load", io::Error::other("shape mismatch"));
        assert_eq!(causes("cannot load".to_owned(), &error), ["shape mismatch"]);
        assert_eq!(causes("cannot load: shape mismatch".to_owned(), &error), [""; 0]);
    }

    #[test]
    fn every_documented_code_is_in_the_help() {
        for kind in [
            ErrorKind::Internal,
            ErrorKind::InvalidConfig,
            ErrorKind::InvalidInput,
            ErrorKind::NotFound,
            ErrorKind::Locked,
            ErrorKind::Diverged,
            ErrorKind::Io,
        ] {
            assert!(CODES.contains(&format!("\n  {} ", code_of(kind))), "{kind:?}");
        }
    }
}
