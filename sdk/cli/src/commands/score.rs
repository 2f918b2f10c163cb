use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use detoxlm::calls;
use detoxlm::corpus::{JsonlReader, JsonlWriter, ScoredTextRow, TextRow};
use detoxlm::layers::Vetoed;
use detoxlm::{Event, Result, Stage, ToxicityScorer, Unscored, Verdict};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::{Value, json};

use crate::filters::FilterArguments;
use crate::rows;
use crate::session::{DEFAULT_SCORER, Report, SCORERS, Session};
use crate::text::{table, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_name = "SPEC", default_value = DEFAULT_SCORER, help = format!("What rates the texts: {SCORERS}"))]
    scorer: String,
    /// JSONL with a field `text`; all other fields are kept
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    filters: FilterArguments,
    /// The same rows with `scores` or `unscored`, and the `scorer`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What the texts came to.
#[derive(Default, Serialize)]
struct Summary {
    texts: u64,
    scored: u64,
    unscored: BTreeMap<String, u64>,
    means: BTreeMap<String, f64>,
}

impl Summary {
    fn count(&mut self, verdict: &Verdict) {
        self.texts += 1;
        match verdict {
            Verdict::Scored(scores) => {
                self.scored += 1;
                for (attribute, value) in scores.iter() {
                    *self.means.entry(attribute.to_string()).or_default() += f64::from(value);
                }
            }
            Verdict::Unscored(why) => {
                *self.unscored.entry(reason(why).to_owned()).or_default() += 1;
            }
        }
    }

    /// Turns the sums into means.
    fn finish(&mut self) {
        for sum in self.means.values_mut() {
            *sum /= self.scored as f64;
        }
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let rows_on_stdout = session.check_streams(&[&arguments.input], &[&arguments.out])?;
    let total = rows::check::<TextRow>(&arguments.input)?;
    let mut scorer = session.registry.scorer(&arguments.scorer)?;
    for filter in arguments.filters.load(&session.registry)? {
        scorer = Arc::new(Vetoed::new(scorer, filter));
    }
    let rows = JsonlReader::<TextRow>::open(&arguments.input)?;
    let mut writer = JsonlWriter::create(&arguments.out)?;
    let observer = session.observer();
    observer.observe(&Event::StageStarted { stage: Stage::Score, total, done: 0, unit: "texts" });
    let identity = Value::from(scorer.info().to_string());
    let mut summary = Summary::default();
    let capabilities = scorer.capabilities();
    let mut batches = stream::iter(rows)
        .try_chunks(capabilities.batch.max(1))
        .map_err(|failed| failed.1)
        .map(|batch| score(&*scorer, batch))
        .buffered(capabilities.concurrency.max(1));
    while let Some(batch) = batches.try_next().await? {
        let count = batch.len() as u64;
        for mut scored in batch {
            summary.count(&scored.verdict);
            scored.row.fields.insert("scorer".to_owned(), identity.clone());
            writer.write(&scored)?;
        }
        observer.observe(&Event::StageAdvanced { stage: Stage::Score, count });
    }
    summary.finish();
    writer.commit()?;
    observer.observe(&Event::StageFinished { stage: Stage::Score });
    let json = json!({"out": arguments.out, "scorer": scorer.info(), "summary": summary});
    let text = describe(&summary, &scorer.info().to_string());
    Ok(Report { rows_on_stdout, ..Report::new(json, text) })
}

/// Rates a batch of rows. What an earlier scorer said of them is forgotten.
async fn score(
    scorer: &dyn ToxicityScorer,
    batch: Result<Vec<TextRow>>,
) -> Result<Vec<ScoredTextRow>> {
    let mut batch = batch?;
    let samples: Vec<_> = batch.iter().map(rows::sample).collect();
    let verdicts = calls::score(scorer, &samples).await?;
    for row in &mut batch {
        for earlier in ["scores", "unscored", "score"] {
            row.fields.remove(earlier);
        }
    }
    Ok(batch
        .into_iter()
        .zip(verdicts)
        .map(|(row, verdict)| ScoredTextRow { row, verdict })
        .collect())
}

/// The kind of a missing score, without its detail.
pub(super) fn reason(unscored: &Unscored) -> &'static str {
    match unscored {
        Unscored::Blank => "blank",
        Unscored::TooLong => "too long",
        Unscored::Language(_) => "unsupported language",
        Unscored::Abstained(_) => "abstained",
        Unscored::Failed(_) => "failed",
        _ => "other",
    }
}

fn describe(summary: &Summary, scorer: &str) -> String {
    let mut rows = vec![
        ("scorer", scorer.to_owned()),
        ("texts", thousands(summary.texts)),
        ("scored", thousands(summary.scored)),
    ];
    let unscored: Vec<_> =
        summary.unscored.iter().map(|(why, count)| (format!("unscored: {why}"), *count)).collect();
    let means: Vec<_> =
        summary.means.iter().map(|(name, mean)| (format!("mean {name}"), *mean)).collect();
    rows.extend(unscored.iter().map(|(label, count)| (label.as_str(), thousands(*count))));
    rows.extend(means.iter().map(|(label, mean)| (label.as_str(), format!("{mean:.4}"))));
    table(&rows)
}
