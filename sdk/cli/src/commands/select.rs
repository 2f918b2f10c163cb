use std::path::PathBuf;

use detoxlm::corpus::{JsonlReader, JsonlWriter, ScoredTextRow};
use detoxlm::selection::{Compat, Selection, SelectionSummary, select};
use detoxlm::{Attribute, Result};
use serde_json::json;

use crate::decisions::Decisions;
use crate::filters::FilterArguments;
use crate::session::{Report, Session};
use crate::spool::Spooled;
use crate::text::{table, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// JSONL of texts with scores, as `score` writes it
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Where the kept rows go
    #[arg(long, value_name = "FILE")]
    kept: PathBuf,
    /// Where the dropped rows go, each with the reason
    #[arg(long, value_name = "FILE")]
    dropped: PathBuf,
    /// The attribute that ranks
    #[arg(long, value_name = "NAME", default_value = "TOXICITY")]
    attribute: Attribute,
    /// The share of the eligible texts to keep
    #[arg(long, value_name = "SHARE", default_value_t = Selection::default().keep_fraction)]
    keep_fraction: f64,
    /// The highest value that may be kept
    #[arg(long, value_name = "VALUE")]
    cap: Option<f32>,
    /// Drop texts that came before
    #[arg(long)]
    dedup: bool,
    /// The fewest characters of a text
    #[arg(long, value_name = "N")]
    minimum_characters: Option<usize>,
    /// The fewest tokens of a text, as its row says
    #[arg(long, value_name = "N")]
    minimum_tokens: Option<usize>,
    /// Reproduce the rule of another implementation
    #[arg(long, value_name = "NAME")]
    compat: Option<CompatName>,
    #[command(flatten)]
    filters: FilterArguments,
}

/// Another implementation's rule.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CompatName {
    /// The code released with SGEAT
    #[value(name = "sgeat-2022")]
    Sgeat2022,
}

impl Arguments {
    fn selection(&self) -> Selection {
        Selection {
            attribute: self.attribute.clone(),
            keep_fraction: self.keep_fraction,
            cap: self.cap,
            minimum_characters: self.minimum_characters,
            minimum_tokens: self.minimum_tokens,
            deduplicate: self.dedup,
            compat: self.compat.map(|CompatName::Sgeat2022| Compat::Sgeat2022),
        }
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let rows_on_stdout =
        session.check_streams(&[&arguments.input], &[&arguments.kept, &arguments.dropped])?;
    let selection = arguments.selection();
    selection.validate()?;
    let input = Spooled::new(&arguments.input)?;
    let filters = arguments.filters.load(&session.registry)?;
    let decisions = Decisions::of(&filters, input.path()).await?;
    let source = || {
        let rows = JsonlReader::<ScoredTextRow>::open(input.path())?;
        let mut decided = decisions.read()?;
        Ok(rows.map(move |row| decided.join(row?.into())))
    };
    let mut kept = JsonlWriter::create(&arguments.kept)?;
    let mut dropped = JsonlWriter::create(&arguments.dropped)?;
    let summary = select(source, &selection, &mut kept, &mut dropped)?;
    kept.commit()?;
    dropped.commit()?;
    let json = json!({
        "kept": arguments.kept,
        "dropped": arguments.dropped,
        "summary": summary,
    });
    Ok(Report { rows_on_stdout, ..Report::new(json, describe(&summary)) })
}

/// A selection in a table.
pub(super) fn describe(summary: &SelectionSummary) -> String {
    let mean = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let attribute = &summary.selection.attribute;
    let labels: Vec<_> =
        summary.reasons.keys().map(|reason| format!("  {}", reason.replace('_', " "))).collect();
    let mut rows = vec![
        ("documents", thousands(summary.documents)),
        ("eligible", thousands(summary.eligible)),
        ("kept", thousands(summary.kept)),
        ("dropped", thousands(summary.dropped)),
    ];
    rows.extend(
        labels.iter().map(String::as_str).zip(summary.reasons.values().copied().map(thousands)),
    );
    let filters: Vec<_> = summary.filtered.keys().map(|name| format!("    by {name}")).collect();
    rows.extend(
        filters.iter().map(String::as_str).zip(summary.filtered.values().copied().map(thousands)),
    );
    let cut = format!("{attribute} of at most {:.4}", summary.cut);
    rows.extend([
        ("kept up to", cut),
        ("mean of the kept", mean(summary.mean_kept)),
        ("mean of the dropped", mean(summary.mean_dropped)),
    ]);
    table(&rows)
}
