use std::path::PathBuf;

use detoxlm::{Result, report};
use serde_json::json;

use crate::session::{Report, Session};
use crate::text::table;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directories of runs or of evaluations, two or more
    #[arg(value_name = "DIR", required = true, num_args = 2..)]
    directories: Vec<PathBuf>,
    /// Where report.html and report.md go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, _: &Session) -> Result<Report> {
    let comparison = report::compare(&arguments.directories)?;
    comparison.write(&arguments.out)?;
    let text = table(&[
        ("report", arguments.out.join("report.html").display().to_string()),
        ("compared", format!("{} directories", arguments.directories.len())),
        ("differ in more than the model", comparison.incomparable().to_string()),
    ]);
    let json = json!({
        "out": arguments.out,
        "directories": arguments.directories,
        "incomparable": comparison.incomparable(),
    });
    Ok(Report::new(json, text))
}
