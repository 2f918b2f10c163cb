//! Futures that nobody waits for to the end.

use std::future::Future;

use futures_util::future::poll_immediate;

/// Lets work begin and drops it.
pub(crate) async fn begin_and_drop<F: Future + Send>(work: F)
where
    F::Output: Send,
{
    let _ = poll_immediate(work).await;
}
