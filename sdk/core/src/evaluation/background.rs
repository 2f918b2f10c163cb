use super::COMPONENT;
use crate::{Error, ErrorKind, Result};

/// Runs `work` on a thread of its own: resampling takes seconds, which async workers do not have.
/// A thread, not the runtime's blocking pool, so that any executor will do.
pub(super) async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("detoxlm-evaluation".into())
        .spawn(move || {
            // Nobody waits any more when the evaluation was cancelled.
            let _ = sender.send(work());
        })
        .map_err(|e| {
            Error::new(ErrorKind::Io, COMPONENT, "begin a thread", e.to_string()).with_source(e)
        })?;
    receiver.await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Internal, COMPONENT, "compute measurements", "it panicked"))
    })
}
