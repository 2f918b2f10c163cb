//! Stops a training at a step, as closely as the outside of a trainer allows.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use detoxlm_core::{Event, Observer};
use futures_util::future::{Either, select};
use tokio::sync::Notify;

use super::{OWN_THREADS, WHOLE};
use crate::Violation;

/// How long a trainer that is being stopped is held; only one that computes where it is awaited, and
/// so cannot be dropped meanwhile, ever waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Hears about the steps of one sitting. At the step where it is to stop, it holds the trainer until
/// the future has been dropped, so that the trainer cannot run ahead.
#[derive(Debug)]
pub(super) struct Interrupter {
    output: PathBuf,
    stop: Option<u64>,
    awaiting: ThreadId,
    reached: Notify,
    sitting: Mutex<Sitting>,
    dropped: Condvar,
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Sitting {
    /// The steps that were taken.
    pub(super) steps: Vec<u64>,
    output_before_the_end: Option<u64>,
    on_the_awaiting_thread: bool,
    is_dropped: bool,
}

impl Sitting {
    /// What has to hold at every step.
    pub(super) fn check(&self) -> Result<(), Violation> {
        OWN_THREADS.require(!self.on_the_awaiting_thread, || {
            "a step was taken on the thread that awaits the training".to_owned()
        })?;
        match self.output_before_the_end {
            Some(step) => Err(WHOLE.broken(format!("it is there at step {step}"))),
            None => Ok(()),
        }
    }
}

impl Interrupter {
    /// Stops nothing.
    pub(super) fn listening(output: PathBuf) -> Arc<Self> {
        Self::new(output, None)
    }

    pub(super) fn stopping(output: PathBuf, stop: u64) -> Arc<Self> {
        Self::new(output, Some(stop))
    }

    fn new(output: PathBuf, stop: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            output,
            stop,
            awaiting: thread::current().id(),
            reached: Notify::new(),
            sitting: Mutex::default(),
            dropped: Condvar::new(),
        })
    }

    /// Awaits a training until its stop is reached, and drops it; `Some` when it ended before.
    pub(super) async fn until_stopped<F: Future + Send>(&self, training: F) -> Option<F::Output>
    where
        F::Output: Send,
    {
        let ended = {
            let training = Box::pin(training);
            match select(training, pin!(self.reached.notified())).await {
                Either::Left((result, _)) => Some(result),
                // The future is dropped at the end of this block.
                Either::Right(_) => None,
            }
        };
        self.lock().is_dropped = true;
        self.dropped.notify_all();
        ended
    }

    pub(super) fn sitting(&self) -> Sitting {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Sitting> {
        self.sitting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Interrupter {
    fn observe(&self, event: &Event<'_>) {
        let Event::TrainingStep { step, .. } = event else { return };
        let mut sitting = self.lock();
        sitting.steps.push(*step);
        if sitting.output_before_the_end.is_none() && self.output.is_dir() {
            sitting.output_before_the_end = Some(*step);
        }
        if thread::current().id() == self.awaiting {
            sitting.on_the_awaiting_thread = true;
            return;
        }
        if self.stop == Some(*step) {
            self.reached.notify_one();
            drop(self.dropped.wait_timeout_while(sitting, PATIENCE, |s| !s.is_dropped));
        }
    }
}
