use std::path::{Path, PathBuf};

use detoxlm::corpus::{JsonlWriter, TextRow};
use detoxlm::plugins::{Judgement, Plugin};
use detoxlm::{Result, Sample};
use serde::Serialize;
use serde_json::json;

use super::PluginArguments;
use crate::rows::{in_batches, sample};
use crate::session::{Report, Session};
use crate::text::table;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    plugin: PluginArguments,
    /// A text to ask about; more than once for several
    #[arg(long = "text", value_name = "TEXT", required_unless_present = "input")]
    texts: Vec<String>,
    /// JSONL with a field `text` and perhaps `prompt`
    #[arg(long = "in", value_name = "FILE", conflicts_with = "texts")]
    input: Option<PathBuf>,
    /// The same rows with the `judgement`
    #[arg(long, value_name = "FILE", default_value = "-", requires = "input")]
    out: PathBuf,
}

#[derive(Serialize)]
struct JudgedRow<'a> {
    #[serde(flatten)]
    row: &'a TextRow,
    judgement: Judgement,
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let plugin = arguments.plugin.load()?;
    match &arguments.input {
        Some(input) => {
            let rows_on_stdout = session.check_streams(&[input], &[&arguments.out])?;
            let report = on_file(&plugin, input, arguments).await?;
            Ok(Report { rows_on_stdout, ..report })
        }
        None => on_texts(&plugin, &arguments.texts).await,
    }
}

async fn on_texts(plugin: &Plugin, texts: &[String]) -> Result<Report> {
    let samples: Vec<Sample> = texts.iter().map(Sample::new).collect();
    let judgements = plugin.judge(&samples).await?;
    let rows: Vec<_> = texts
        .iter()
        .zip(&judgements)
        .map(|(text, judged)| (text.as_str(), describe(judged)))
        .collect();
    let json = json!({"plugin": plugin.info(), "judgements": judgements});
    Ok(Report::new(json, table(&rows)))
}

async fn on_file(plugin: &Plugin, input: &Path, arguments: &Arguments) -> Result<Report> {
    let batches = in_batches::<TextRow>(input)?;
    let mut writer = JsonlWriter::create(&arguments.out)?;
    let mut counts = std::collections::BTreeMap::new();
    for batch in batches {
        let batch = batch?;
        let samples: Vec<Sample> = batch.iter().map(sample).collect();
        for (row, judgement) in batch.iter().zip(plugin.judge(&samples).await?) {
            *counts.entry(kind(&judgement)).or_insert(0_u64) += 1;
            writer.write(&JudgedRow { row, judgement })?;
        }
    }
    writer.commit()?;
    let json = json!({"plugin": plugin.info(), "out": arguments.out, "counts": counts});
    let rows: Vec<_> = counts.iter().map(|(kind, count)| (*kind, count.to_string())).collect();
    Ok(Report::new(json, table(&rows)))
}

const fn kind(judgement: &Judgement) -> &'static str {
    match judgement {
        Judgement::Scored(_) => "scored",
        Judgement::Passed => "passed",
        Judgement::Rejected(_) => "rejected",
        Judgement::Abstained(_) => "abstained",
        Judgement::Failed(_) => "failed",
        Judgement::TooLong => "too long",
        Judgement::Blank => "blank",
        _ => "other",
    }
}

fn describe(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Scored(scores) => {
            let values: Vec<_> =
                scores.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
            values.join(", ")
        }
        Judgement::Rejected(why) | Judgement::Abstained(why) | Judgement::Failed(why) => {
            format!("{}: {why}", kind(judgement))
        }
        other => kind(other).to_owned(),
    }
}
