use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use detoxlm::perspective::server::{RequiredKey, Server, ServerConfig, Totals};
use detoxlm::{Error, ErrorKind, Event, Result, ToxicityScorer};
use serde_json::json;
use tokio::net::TcpListener;

use crate::session::{DEFAULT_SCORER, Report, Session};
use crate::signals::StopSignals;
use crate::text::{at_least_one, duration, rate, table, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What rates the texts: embedded, onnx:DIR or profanity-check
    #[arg(long, value_name = "SPEC", default_value = DEFAULT_SCORER)]
    scorer: String,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The environment variable with the key that requests must carry; any key will do without it
    #[arg(long, value_name = "NAME")]
    key_env: Option<String>,
    /// A language that the scorer knows, such as en; requests for others are refused. Repeatable
    #[arg(long, value_name = "LANGUAGE")]
    language: Vec<String>,
    /// Refuse attributes that the scorer lacks instead of leaving them out of the answer
    #[arg(long)]
    strict_attributes: bool,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Texts that may wait for the scorer; more are refused with 429 [default: 4096]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    queue: Option<usize>,
    /// How long a text waits for others to be scored with [default: 1]
    #[arg(long, value_name = "MILLISECONDS")]
    linger: Option<u64>,
    /// The largest request [default: 4194304]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_request_bytes: Option<usize>,
    /// How long a request may take [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one)]
    timeout: Option<usize>,
}

impl Arguments {
    fn config(&self) -> Result<ServerConfig> {
        let mut config = ServerConfig::default()
            .with_languages(self.language.iter().map(String::as_str))
            .with_strict_attributes(self.strict_attributes);
        if let Some(name) = &self.key_env {
            config = config.with_key(key(name)?);
        }
        if let Some(texts) = self.limits.queue {
            config = config.with_queue(texts);
        }
        if let Some(milliseconds) = self.limits.linger {
            config = config.with_linger(Duration::from_millis(milliseconds));
        }
        if let Some(bytes) = self.limits.max_request_bytes {
            config = config.with_max_request_bytes(bytes);
        }
        if let Some(seconds) = self.limits.timeout {
            config = config.with_request_timeout(Duration::from_secs(seconds as u64));
        }
        Ok(config)
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let config = arguments.config()?;
    let has_key = config.key.is_some();
    let scorer = session.registry.scorer(&arguments.scorer)?;
    let signals = StopSignals::listen()?;
    let (listener, address) = listen(&arguments.listen).await?;
    if !address.ip().is_loopback() && !has_key {
        let message = "everybody who reaches this address may have texts scored: \
                       require a key with --key-env";
        session.observer().observe(&Event::Warning { message });
    }
    let server = Server::new(Arc::clone(&scorer), config)?;
    session.announce(&greeting(&*scorer, address));
    let started = Instant::now();
    // The first signal lets it finish, the second does not.
    let finished = tokio::select! {
        finished = server.serve(listener, signals.received(1)) => finished,
        () = signals.received(2) => false,
    };
    if !finished {
        let message = "stopped before everything under way was answered";
        session.observer().observe(&Event::Warning { message });
    }
    Ok(report(server.totals(), &*scorer, address, started.elapsed()))
}

fn key(name: &str) -> Result<RequiredKey> {
    let key = env::var(name).unwrap_or_default();
    if key.is_empty() {
        let problem = "the environment variable is not set";
        return Err(Error::new(ErrorKind::InvalidConfig, "serve", "require a key", problem)
            .with_key(name.to_owned())
            .with_remedy("give it the key, or leave out --key-env"));
    }
    Ok(RequiredKey::new(&key))
}

async fn listen(address: &str) -> Result<(TcpListener, SocketAddr)> {
    let failed = |e: std::io::Error| {
        Error::new(ErrorKind::Io, "serve", "listen", e.to_string())
            .with_key(address.to_owned())
            .with_remedy("write HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one")
            .with_source(e)
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn greeting(scorer: &dyn ToxicityScorer, address: SocketAddr) -> String {
    format!(
        "{} answers at\n  http://{address}/v1alpha1/comments:analyze\n  \
         http://{address}/$discovery/rest?version=v1alpha1\nStop it with Ctrl-C.\n",
        scorer.info(),
    )
}

fn report(
    totals: Totals,
    scorer: &dyn ToxicityScorer,
    address: SocketAddr,
    elapsed: Duration,
) -> Report {
    let per_second = totals.requests() as f64 / elapsed.as_secs_f64().max(1e-9);
    let json = json!({
        "listen": address,
        "scorer": scorer.info(),
        "totals": totals,
        "requests": totals.requests(),
        "seconds": elapsed.as_secs_f64(),
        "requests_per_second": per_second,
    });
    let text = table(&[
        ("scorer", scorer.info().to_string()),
        ("requests", thousands(totals.requests())),
        ("scored", thousands(totals.scored)),
        ("refused", thousands(totals.refused)),
        ("turned away: queue full", thousands(totals.overflowed)),
        ("failed", thousands(totals.failed)),
        ("time", duration(elapsed)),
        ("requests/s", rate(per_second)),
    ]);
    Report::new(json, text)
}
