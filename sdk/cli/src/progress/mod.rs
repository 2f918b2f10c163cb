//! Progress on standard error: bars on a terminal, a line now and then elsewhere.

mod display;
mod meter;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use detoxlm::{Event, Observer, Stage};

use self::display::Display;
use self::meter::Meter;

/// Shows what it hears, and keeps the warnings.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    display: Display,
    stages: BTreeMap<Stage, Running>,
    warnings: Vec<String>,
}

#[derive(Debug)]
struct Running {
    meter: Meter,
    started: Instant,
    shown: Instant,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let display = if quiet { Display::None } else { Display::on_standard_error() };
        Self(Mutex::new(State { display, stages: BTreeMap::new(), warnings: Vec::new() }))
    }

    /// The warnings so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.lock().warnings.clone()
    }

    /// Progress must not fail because something else panicked while it was being told.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event<'_>) {
        self.lock().observe(event);
    }
}

impl State {
    fn observe(&mut self, event: &Event<'_>) {
        match *event {
            Event::StageStarted { stage, total, done, unit } => {
                let now = Instant::now();
                let meter = Meter::new(unit, total, done);
                self.display.start(stage, &meter);
                self.stages.insert(stage, Running { meter, started: now, shown: now });
            }
            Event::StageAdvanced { stage, count } => {
                self.change(stage, |meter| meter.advance(count));
            }
            Event::TokensGenerated { count } => {
                // Only one stage generates at a time.
                let generates =
                    |stage| matches!(stage, Stage::Prompts | Stage::Generate | Stage::Evaluate);
                if let Some(stage) = self.stages.keys().copied().find(|&stage| generates(stage)) {
                    self.change(stage, |meter| meter.add_tokens(count));
                }
            }
            Event::TrainingStep { loss, tokens, .. } => {
                self.change(Stage::Train, |meter| {
                    meter.add_tokens(tokens);
                    meter.set_loss(loss);
                });
            }
            Event::StageFinished { stage } => {
                if let Some(Running { meter, started, .. }) = self.stages.remove(&stage) {
                    self.display.finish(stage, &meter, started.elapsed());
                }
            }
            Event::PartStarted { name, number, total } => {
                self.display.note(&format!("{number} of {total}: {name}"));
            }
            Event::Note { message } => self.display.note(message),
            Event::Warning { message } => {
                self.display.warn(message);
                self.warnings.push(message.to_owned());
            }
            _ => {}
        }
    }

    fn change(&mut self, stage: Stage, change: impl FnOnce(&mut Meter)) {
        let Some(running) = self.stages.get_mut(&stage) else { return };
        change(&mut running.meter);
        if running.shown.elapsed() >= self.display.interval() {
            running.shown = Instant::now();
            self.display.update(stage, &running.meter, running.started.elapsed());
        }
    }
}
