//! A clock for running plugins: while one runs, its engine's epoch advances.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use detoxlm_core::{Error, Result};
use wasmtime::Engine;

use crate::COMPONENT;

/// How often a running plugin is looked at.
const TICK: Duration = Duration::from_millis(10);

/// Advances an engine's epoch while somebody is running, and sleeps otherwise. The thread ends when the
/// ticker is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    is_over: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody runs; false when it is over.
    fn wait(&self) -> bool {
        let is_idle = |state: &mut State| state.running == 0 && !state.is_over;
        let state = self.changed.wait_while(self.state(), is_idle);
        !state.unwrap_or_else(PoisonError::into_inner).is_over
    }
}

/// Keeps the clock going.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().running -= 1;
    }
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (inner, engine) = (Arc::clone(&shared), engine.clone());
        thread::Builder::new()
            .name("detoxlm-plugins-clock".into())
            .spawn(move || {
                while inner.wait() {
                    thread::sleep(TICK);
                    engine.increment_epoch();
                }
            })
            .map_err(|e| Error::io(COMPONENT, "start a thread", "", e))?;
        Ok(Self { shared })
    }

    pub(crate) fn run(&self) -> Running<'_> {
        self.shared.state().running += 1;
        self.shared.changed.notify_one();
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_one();
    }
}
