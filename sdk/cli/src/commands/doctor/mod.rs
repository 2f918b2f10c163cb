//! What this program can do on this machine, and what to do about what it cannot.

mod features;
mod libraries;
mod machine;

use detoxlm::Result;
use serde::Serialize;
use serde_json::json;

use crate::session::{Report, Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is there and works.
    Ready,
    /// It is not there, and need not be.
    Absent,
    /// It was asked for and does not work.
    Broken,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Absent => "–",
            Self::Broken => "BROKEN",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    name: String,
    state: State,
    /// What was found.
    detail: String,
    /// What to do to have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ready(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ready, detail: detail.into(), remedy: None }
    }

    fn absent(
        name: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { name: name.into(), state: State::Absent, detail: detail.into(), remedy }
    }

    fn broken(name: impl Into<String>, error: &detoxlm::Error) -> Self {
        let remedy = error.remedy().map(str::to_owned);
        Self { name: name.into(), state: State::Broken, detail: error.to_string(), remedy }
    }
}

pub(super) async fn run(_: &Arguments, session: &Session) -> Result<Report> {
    let areas = [
        ("Machine", machine::findings()),
        ("Compiled in", features::findings()),
        ("Found here", libraries::findings(session).await),
    ];
    let is_broken =
        areas.iter().any(|(_, findings)| findings.iter().any(|f| f.state == State::Broken));
    let json = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "machine": areas[0].1,
        "features": areas[1].1,
        "libraries": areas[2].1,
    });
    let text = areas.iter().map(|(title, findings)| describe(title, findings)).collect();
    Ok(Report { is_failure: is_broken, ..Report::new(json, text) })
}

fn describe(title: &str, findings: &[Finding]) -> String {
    let width = |of: fn(&Finding) -> &str| findings.iter().map(|f| of(f).chars().count()).max();
    let names = width(|f| &f.name).unwrap_or(0);
    let states = width(|f| f.state.as_str()).unwrap_or(0);
    let mut text = format!("{title}\n");
    for Finding { name, state, detail, remedy } in findings {
        text.push_str(&format!("  {name:names$}  {:states$}  {detail}\n", state.as_str()));
        if let Some(remedy) = remedy {
            text.push_str(&format!("  {:names$}  {:states$}  -> {remedy}\n", "", ""));
        }
    }
    text.push('\n');
    text
}
