use std::fmt;
use std::io::{BufRead, Write};
use std::sync::{Mutex, PoisonError};

use detoxlm::{Event, Observer};

/// Asks before it lets a pipeline go on: writes a line for every event but tokens and waits for one in
/// return, so that whoever answers decides at which event the process is.
pub struct OnPermission<R, W>(Mutex<(R, W)>);

impl<R: BufRead, W: Write> OnPermission<R, W> {
    /// Asks through `questions` and waits on `answers`.
    pub const fn new(answers: R, questions: W) -> Self {
        Self(Mutex::new((answers, questions)))
    }
}

impl<R, W> fmt::Debug for OnPermission<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnPermission")
    }
}

impl<R, W> Observer for OnPermission<R, W>
where
    R: BufRead + Send + 'static,
    W: Write + Send + 'static,
{
    fn observe(&self, event: &Event<'_>) {
        let Some(name) = name_of(event) else { return };
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (answers, questions) = &mut *streams;
        // When nobody listens any more, the pipeline goes on alone.
        let asked = writeln!(questions, "{name}").and_then(|()| questions.flush());
        if asked.is_ok() {
            let _ = answers.read_line(&mut String::new());
        }
    }
}

/// Tokens are left out: there are so many that nearly every stop would be at one of them.
fn name_of(event: &Event<'_>) -> Option<String> {
    match event {
        Event::StageStarted { stage, .. } => Some(format!("{stage} started")),
        Event::StageAdvanced { stage, count } => Some(format!("{stage} advanced by {count}")),
        Event::StageFinished { stage } => Some(format!("{stage} finished")),
        Event::TrainingStep { step, .. } => Some(format!("step {step}")),
        _ => None,
    }
}
