//! Calling the program as a user does.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output as the one JSON object that it is.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Standard output as rows.
    pub(crate) fn rows(&self) -> Vec<Value> {
        rows(&self.stdout)
    }

    /// Checks that all went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Checks the exit code and that the message says all of `words`.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {}", self.stderr);
        }
    }
}

/// The rows of a JSONL text.
pub(crate) fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Calls the program in `directory`, with `input` on standard input.
pub(crate) fn detoxlm_with(directory: &Path, input: &str, arguments: &[&str]) -> Outcome {
    call(directory, &[], input, arguments)
}

/// Calls the program in `directory`.
pub(crate) fn detoxlm(directory: &Path, arguments: &[&str]) -> Outcome {
    call(directory, &[], "", arguments)
}

/// Calls the program in `directory`, with these variables in its environment.
pub(crate) fn detoxlm_in(
    directory: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> Outcome {
    call(directory, variables, "", arguments)
}

fn call(directory: &Path, variables: &[(&str, &str)], input: &str, arguments: &[&str]) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_detoxlm"))
        .current_dir(directory)
        .envs(variables.iter().copied())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that fails before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Calls the program in `directory`, and kills it when `is_time`; one that ends before is not killed.
pub(crate) fn kill_when(directory: &Path, arguments: &[&str], is_time: impl Fn() -> bool) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_detoxlm"))
        .current_dir(directory)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while !is_time() && child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(300), "it is never time: {arguments:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait().unwrap();
}

/// The path of a committed fixture.
pub(crate) fn fixture(name: &str) -> String {
    format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}
