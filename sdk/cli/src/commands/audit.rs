use std::path::PathBuf;

use detoxlm::Result;
use detoxlm::audit::{Audit, AuditSettings, Auditor};
use detoxlm::evaluation::Bootstrap;
use serde_json::json;

use crate::config::AuditFile;
use crate::session::{DEFAULT_SCORER, Report, SCORERS, Session};
use crate::text::align_columns;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which test sets, in TOML: [[labelled]], [[identities]], [[hatecheck]]
    #[arg(value_name = "TESTS.toml")]
    tests: PathBuf,
    #[arg(long, value_name = "SPEC", default_value = DEFAULT_SCORER, help = format!("The scorer under audit: {SCORERS}"))]
    scorer: String,
    /// Another scorer: how far the two agree, and where they differ most
    #[arg(long, value_name = "SPEC")]
    against: Option<String>,
    /// Where report.html, report.md and audit.json go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What the paths in TESTS.toml are relative to, in place of its own folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// From here on a score counts as a yes
    #[arg(long, value_name = "VALUE", default_value_t = AuditSettings::default().threshold)]
    threshold: f64,
    /// How many texts are named on which the two scorers differ most
    #[arg(long, value_name = "N", default_value_t = AuditSettings::default().differences)]
    differences: usize,
    /// Quote those texts, which may be offensive, and not only their lines
    #[arg(long)]
    quote: bool,
    /// Resamples for intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().resamples)]
    resamples: usize,
}

impl Arguments {
    fn settings(&self) -> AuditSettings {
        AuditSettings {
            threshold: self.threshold,
            differences: self.differences,
            quote: self.quote,
            bootstrap: Bootstrap { resamples: self.resamples, ..Bootstrap::default() },
            ..AuditSettings::default()
        }
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let scorer = session.registry.scorer(&arguments.scorer)?;
    let mut auditor = Auditor::new(scorer, arguments.settings())?.with_observer(session.observer());
    if let Some(other) = &arguments.against {
        auditor = auditor.against(session.registry.scorer(other)?);
    }
    let sets = AuditFile::read(&arguments.tests, arguments.data.as_deref())?.sets()?;
    let audit = auditor.audit(&sets).await?;
    audit.write(&arguments.out)?;
    Ok(Report::new(json!({"out": arguments.out, "audit": audit}), describe(&audit, arguments)))
}

fn describe(audit: &Audit, arguments: &Arguments) -> String {
    let report = arguments.out.join("report.html");
    format!("{}\nEverything else is in {}\n", align_columns(&audit.summary()), report.display())
}
