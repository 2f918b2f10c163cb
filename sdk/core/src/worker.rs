//! A thread of one's own for blocking work, awaited from async code.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

use crate::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Tells running work that nobody waits for it any more.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// An error once the work was cancelled; to be asked between steps.
    ///
    /// # Errors
    /// When it was.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Error::new(
                ErrorKind::Cancelled,
                "worker",
                "go on",
                "nobody waits for the result any more",
            ));
        }
        Ok(())
    }
}

/// Sets the flag when the waiting future is dropped, and also, harmlessly, after it is done.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// One thread that runs blocking work in order, so that async workers never compute.
///
/// The thread ends when the worker is dropped and its work is done.
pub struct Worker {
    name: String,
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Worker {
    /// Large enough that dropping or differentiating a deep computation graph, which recurses, does
    /// not overflow; untouched pages cost nothing.
    const STACK: usize = 256 << 20;

    /// Starts a thread.
    ///
    /// # Errors
    /// When the system refuses one.
    pub fn spawn(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name(name.clone())
            .stack_size(Self::STACK)
            .spawn(move || {
                for job in queue {
                    job();
                }
            })
            .map_err(|e| {
                Error::new(ErrorKind::Internal, "worker", "start a thread", e.to_string())
                    .with_source(e)
            })?;
        Ok(Self { name, jobs })
    }

    /// Runs `work` on the thread and awaits its result. Dropping the future sets the cancellation
    /// that `work` gets.
    ///
    /// # Errors
    /// What `work` answers, or [`ErrorKind::Internal`] when it panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Cancellation) -> Result<T> + Send + 'static,
    {
        let cancellation = Cancellation::default();
        let _guard = CancelOnDrop(cancellation.clone());
        let (answer, result) = oneshot::channel();
        let job = Box::new(move || {
            // A job whose waiter left while it queued is not worth starting.
            if cancellation.check().is_err() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&cancellation)))
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            let _ = answer.send(outcome);
        });
        let gone = || Error::new(ErrorKind::Internal, "worker", "run", "its thread has ended");
        self.jobs.send(job).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned());
    Error::new(ErrorKind::Internal, "worker", "run", format!("panicked: {message}"))
        .with_remedy("this is a bug; please report it")
}

/// Runs file access off the async workers.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(|e| {
        Error::new(ErrorKind::Internal, "worker", "run", e.to_string()).with_source(e)
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn runs_elsewhere_and_survives_a_panic() {
        let worker = Worker::spawn("test").unwrap();
        let here = thread::current().id();
        let there = worker.run(|_| Ok(thread::current().id())).await.unwrap();
        assert_ne!(here, there);
        let error = worker.run::<(), _>(|_| panic!("boom")).await.unwrap_err();
        assert!(error.to_string().contains("boom"), "{error}");
        assert_eq!(worker.run(|_| Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn dropping_the_future_cancels_the_work() {
        let worker = Worker::spawn("test").unwrap();
        let (started, has_started) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel();
        let work = worker.run::<(), _>(move |cancellation| {
            let _ = started.send(());
            while cancellation.check().is_ok() {
                thread::yield_now();
            }
            let _ = ended.send(());
            cancellation.check()
        });
        tokio::select! {
            _ = work => unreachable!("the work only ends by cancellation"),
            _ = has_started => {}
        }
        has_ended.await.unwrap();
    }
}
