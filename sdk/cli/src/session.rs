//! What every command has at hand, and what it hands back.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use detoxlm::{Error, ErrorKind, Observer, Registry, Result};
use serde_json::{Value, json};

use crate::exit;
use crate::progress::Progress;

/// How to talk to the user.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Print the result as one JSON object, an error too
    #[arg(long, global = true)]
    json: bool,
    /// Print no progress and no tables: errors only, and with --json the result
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// What rates texts when nothing is named: the classifier that comes with the program.
pub(crate) const DEFAULT_SCORER: &str = "embedded";

/// What `--help` says of how scorers are named.
pub(crate) const SCORERS: &str = "embedded, onnx:DIR, profanity-check, vader, perspective, perspective-at:URL, perspective-replay:FILE, \
     moderation:URL, llama-guard:URL#MODEL or wasm:PATH; with @FILE.json behind it, on a calibrated scale";

/// One call of the program.
#[derive(Debug)]
pub(crate) struct Session {
    /// The scorers and frameworks that are compiled in.
    pub(crate) registry: Registry,
    options: OutputOptions,
    progress: Arc<Progress>,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Report {
    /// For programs; an object.
    pub(crate) json: Value,
    /// For people.
    pub(crate) text: String,
    /// Standard output is taken by rows: the text goes to standard error.
    pub(crate) rows_on_stdout: bool,
    /// What was looked at is not as it should be: told in full, and by the exit code.
    pub(crate) is_failure: bool,
}

impl Report {
    pub(crate) const fn new(json: Value, text: String) -> Self {
        Self { json, text, rows_on_stdout: false, is_failure: false }
    }
}

impl Session {
    pub(crate) fn new(options: OutputOptions) -> Self {
        let progress = Arc::new(Progress::new(options.quiet));
        Self { registry: detoxlm::registry(), options, progress }
    }

    /// Who is told about progress.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.progress) as Arc<dyn Observer>
    }

    /// Checks that no two files are the same standard stream; whether rows go to standard output.
    pub(crate) fn check_streams(&self, inputs: &[&Path], outputs: &[&Path]) -> Result<bool> {
        let streams = |paths: &[&Path]| paths.iter().filter(|path| is_stream(path)).count();
        let refuse = |message: &'static str, remedy: &'static str| {
            Err(Error::new(ErrorKind::InvalidConfig, "command line", "use `-`", message)
                .with_remedy(remedy))
        };
        let rows = streams(outputs);
        if streams(inputs) > 1 {
            return refuse("standard input can be only one of the files", "name the others");
        }
        if rows > 1 {
            return refuse("standard output can be only one of the files", "name the others");
        }
        if rows > 0 && self.options.json {
            return refuse(
                "--json and the rows would both be on standard output",
                "write the rows to a file, or leave out --json",
            );
        }
        Ok(rows > 0)
    }

    /// Prints the result of a command; the exit code.
    pub(crate) fn finish(&self, result: Result<Report>) -> u8 {
        match result {
            Ok(report) => {
                if self.options.json {
                    let mut json = report.json;
                    if let Some(fields) = json.as_object_mut() {
                        fields.insert("warnings".to_owned(), json!(self.progress.warnings()));
                    }
                    print(&json);
                } else if !self.options.quiet {
                    let text = report.text.as_bytes();
                    let _ = if report.rows_on_stdout {
                        io::stderr().lock().write_all(text)
                    } else {
                        io::stdout().lock().write_all(text)
                    };
                }
                if report.is_failure { exit::code_of(ErrorKind::Incompatible) } else { 0 }
            }
            Err(error) if exit::is_closed_pipe(&error) => 0,
            Err(error) => self.fail(&error),
        }
    }

    /// Tells people something while the command goes on. With `--json`, standard output is the result's.
    #[cfg(feature = "serve")]
    pub(crate) fn announce(&self, text: &str) {
        let _ = match (self.options.quiet, self.options.json) {
            (true, _) => return,
            (false, true) => io::stderr().lock().write_all(text.as_bytes()),
            (false, false) => io::stdout().lock().write_all(text.as_bytes()),
        };
    }

    /// Says that the user interrupted a command; the exit code.
    pub(crate) fn interrupted(&self, resumable: bool) -> u8 {
        let advice = if resumable {
            "run the same command again to go on"
        } else {
            "the same command starts anew"
        };
        let _ = writeln!(io::stderr().lock(), "\ninterrupted; {advice}");
        exit::INTERRUPTED
    }

    fn fail(&self, error: &Error) -> u8 {
        let _ = io::stderr().lock().write_all(exit::describe(error).as_bytes());
        if self.options.json {
            print(&exit::to_json(error));
        }
        exit::code_of(error.kind())
    }
}

/// Whether a path means standard input or output.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// When standard output is closed there is nobody left to tell.
fn print(json: &Value) {
    let _ = writeln!(io::stdout().lock(), "{json:#}");
}
