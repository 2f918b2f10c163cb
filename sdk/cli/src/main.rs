//! The command line of detoxlm: arguments in, the SDK at work, a table or a JSON object out.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod commands;
mod compute;
mod config;
mod decisions;
mod exit;
mod filters;
mod method;
mod model;
mod progress;
mod prompts;
mod resources;
mod rows;
mod sampling;
mod session;
#[cfg(feature = "serve")]
mod signals;
mod spool;
mod text;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use detoxlm::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::commands::Command;
use crate::session::{OutputOptions, Session};

/// Decoding and training allocate from many threads, which the system's allocator serves slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Async work is waiting for backends, which own their threads.
const WORKERS: usize = 2;

/// How long an interrupted command may take to put down what it holds.
const GRACE: Duration = Duration::from_secs(2);

/// Make language models less toxic: let a model write, rate what it wrote, keep the least toxic
/// half, fine-tune the model on it, and measure what changed.
#[derive(Debug, Parser)]
#[command(name = "detoxlm", version, after_help = exit::CODES)]
struct Arguments {
    #[command(flatten)]
    output: OutputOptions,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    ExitCode::from(work(arguments.command, Arc::new(Session::new(arguments.output))))
}

/// Runs a command to its end, or until the user interrupts it.
fn work(command: Command, session: Arc<Session>) -> u8 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|e| failed("start", e));
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return session.finish(Err(error)),
    };
    let resumable = command.is_resumable();
    let interruptible = !command.runs_until_stopped();
    let stop = Arc::new(Notify::new());
    let code = runtime.block_on(async {
        let work = async {
            let (handle, session) = (Handle::current(), Arc::clone(&session));
            let stop = Arc::clone(&stop);
            // On a thread of its own: reading standard input must not keep an interruption waiting.
            tokio::task::spawn_blocking(move || {
                handle.block_on(async {
                    tokio::select! {
                        result = command.run(&session) => Some(result),
                        () = stop.notified() => None,
                    }
                })
            })
            .await
        };
        tokio::pin!(work);
        tokio::select! {
            // From before the work begins, an interruption is ours to handle.
            biased;
            Ok(()) = tokio::signal::ctrl_c(), if interruptible => {
                // Dropping the command removes half-written files.
                stop.notify_one();
                let _ = tokio::time::timeout(GRACE, work).await;
                session.interrupted(resumable)
            }
            result = &mut work => {
                let result = result.unwrap_or_else(|e| Some(Err(failed("run", e))));
                result.map_or(exit::INTERRUPTED, |result| session.finish(result))
            }
        }
    });
    // A backend's call under way is abandoned, not awaited.
    runtime.shutdown_background();
    code
}

fn failed(operation: &'static str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "command line", operation, cause.to_string())
        .with_remedy("this is a bug; please report it")
        .with_source(cause)
}
