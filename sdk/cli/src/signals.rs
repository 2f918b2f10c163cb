//! Being told to stop.

use std::io;

use detoxlm::{Error, ErrorKind, Result};
use tokio::sync::watch;

/// Counts the signals to stop, Ctrl-C and the system's, from the moment it listens.
#[derive(Debug)]
pub(crate) struct StopSignals(watch::Receiver<u32>);

impl StopSignals {
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> Result<Self> {
        let mut source = Source::new().map_err(|e| {
            Error::new(ErrorKind::Internal, "command line", "listen to signals", e.to_string())
                .with_source(e)
        })?;
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            while source.next().await.is_some() && !count.is_closed() {
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(counted))
    }

    /// Waits until so many have come.
    pub(crate) async fn received(&self, number: u32) {
        if self.0.clone().wait_for(|&count| count >= number).await.is_err() {
            // Nobody listens any more, so nothing will come.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Option<()> {
        tokio::select! {
            signal = self.interrupt.recv() => signal,
            signal = self.terminate.recv() => signal,
        }
    }
}

#[cfg(windows)]
struct Source(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Source {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> Option<()> {
        self.0.recv().await
    }
}
