//! Accepts connections and ends them in an orderly way.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a client may take for the head of a request, and keep a connection idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How long to wait when the system has no connection to give, for lack of file descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop` is done, then lets what is under way go on for at most `grace`. Whether all of
/// it was finished.
pub(super) async fn serve(
    router: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> bool {
    let mut stop = pin!(stop);
    let graceful = GracefulShutdown::new();
    // Dropped at the end, which ends what is left.
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // An answer is one small write: holding it back for a larger one only costs time.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // A client that breaks off harms nobody else.
            let _ = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    timeout(grace, graceful.shutdown()).await.is_ok()
}
