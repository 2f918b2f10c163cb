//! Pipelines in processes of their own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use detoxlm_end_to_end::Setup;

/// A prepared setup, and room for runs of it.
pub(crate) struct Place {
    root: tempfile::TempDir,
    setup: Setup,
}

impl Place {
    pub(crate) fn new(setup: Setup) -> Self {
        let root = tempfile::tempdir().unwrap();
        setup.prepare(root.path()).unwrap();
        Self { root, setup }
    }

    /// The model that runs start from.
    pub(crate) fn base(&self) -> PathBuf {
        self.root.path().join("base")
    }

    pub(crate) fn run(&self, name: &str) -> PathBuf {
        self.root.path().join("runs").join(name)
    }

    pub(crate) fn command(&self, run: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command.arg(self.setup.name()).arg(self.root.path()).arg(run);
        command
    }

    /// Runs to the end, which must be a good one; gives what was written to standard output.
    pub(crate) fn complete(&self, run: &Path) -> String {
        let output = self.command(run).output().unwrap();
        assert!(output.status.success(), "{}", error_of(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Begins a run that waits for permission at every event.
    pub(crate) fn begin(&self, run: &Path) -> Stepped {
        let mut command = self.command(run);
        command.arg("--on-permission");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = child.stdin.take().unwrap();
        let questions = BufReader::new(child.stdout.take().unwrap());
        Stepped { child, answers, questions }
    }
}

/// What a process said of its failure.
pub(crate) fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A process that goes from event to event as it is told to.
pub(crate) struct Stepped {
    child: Child,
    answers: ChildStdin,
    questions: BufReader<ChildStdout>,
}

impl Stepped {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next event; `None` when there is no further one.
    pub(crate) fn event(&mut self) -> Option<String> {
        let mut line = String::new();
        self.questions.read_line(&mut line).unwrap();
        let event = line.trim_end();
        (!event.is_empty() && !event.starts_with("peak")).then(|| event.to_owned())
    }

    /// Lets it go on from an event.
    pub(crate) fn permit(&mut self) {
        // It may have ended for reasons of its own, which `finish` will tell.
        let _ = self.answers.write_all(b"\n");
    }

    /// Lets it go on to its end, which must be a good one; gives the events on the way.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.event() {
            events.push(event);
            self.permit();
        }
        drop(self.answers);
        drop(self.questions);
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", error_of(&output));
        events
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
