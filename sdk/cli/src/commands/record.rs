use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use detoxlm::corpus::{JsonlReader, TextRow};
use detoxlm::perspective::{LongTexts, Perspective, PerspectiveOptions, Recorded, Recorder};
use detoxlm::row_store::RowKey;
use detoxlm::{
    Attribute, Digest, Event, Observer, Result, Sample, Stage, ToxicityScorer as _, Verdict,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::json;

use super::score::reason;
use crate::rows;
use crate::session::{Report, Session};
use crate::spool::Spooled;
use crate::text::{duration, rate, table, thousands};

/// Texts that are looked up in the record together.
const LOOK_UP: usize = 512;

/// What `--languages` says to let the service detect them.
const DETECT: &str = "detect";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// JSONL with a field `text`
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The record: it is made, or added to
    #[arg(long, value_name = "FILE")]
    record: PathBuf,
    /// The whole address of a service that copies the protocol [default: Perspective API's]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The attributes to ask for, with commas between [default: the seven standard ones]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    attributes: Vec<Attribute>,
    /// The languages of the texts, with commas between; `detect` lets the service guess
    #[arg(long, value_name = "CODES", value_delimiter = ',', default_value = "en")]
    languages: Vec<String>,
    /// The most requests a second [default: 1; at another endpoint as many as it answers]
    #[arg(long, value_name = "N", value_parser = above_zero)]
    rate: Option<f64>,
    /// Ask for the scores of parts of the texts too
    #[arg(long)]
    spans: bool,
    /// Ask about the beginning of texts over 20,480 bytes, instead of leaving them out
    #[arg(long)]
    cut: bool,
    /// Let the service keep the texts
    #[arg(long)]
    allow_storing: bool,
    /// Ask nothing: say how much there is to ask, and how long it takes
    #[arg(long)]
    dry_run: bool,
}

fn above_zero(text: &str) -> std::result::Result<f64, &'static str> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        Ok(_) => Err("must be above 0"),
        Err(_) => Err("not a number"),
    }
}

impl Arguments {
    fn options(&self) -> PerspectiveOptions {
        let long_texts = if self.cut { LongTexts::Cut } else { LongTexts::Refuse };
        let mut options = PerspectiveOptions::default()
            .with_span_annotations(self.spans)
            .with_do_not_store(!self.allow_storing)
            .with_long_texts(long_texts);
        options.languages = self.languages.clone();
        if self.languages == [DETECT] {
            options.languages.clear();
        }
        if !self.attributes.is_empty() {
            options.attributes = self.attributes.clone();
        }
        if let Some(endpoint) = &self.endpoint {
            options = options.with_endpoint(endpoint).with_requests_per_second(None);
        }
        if self.rate.is_some() {
            options.requests_per_second = self.rate;
        }
        options
    }
}

/// What the texts came to; all but `texts` counts different ones.
#[derive(Default, Serialize)]
struct Summary {
    texts: u64,
    distinct: u64,
    /// Sent to the service now.
    asked: u64,
    /// In the record before, or in need of no asking.
    known: u64,
    scored: u64,
    unscored: BTreeMap<String, u64>,
}

impl Summary {
    fn count(&mut self, recorded: &Recorded) {
        if recorded.asked {
            self.asked += 1;
        } else {
            self.known += 1;
        }
        match &recorded.verdict {
            Verdict::Scored(_) => self.scored += 1,
            Verdict::Unscored(why) => {
                *self.unscored.entry(reason(why).to_owned()).or_default() += 1;
            }
        }
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    session.check_streams(&[&arguments.input], &[])?;
    let input = Spooled::new(&arguments.input)?;
    let texts = rows::check::<TextRow>(input.path())?.unwrap_or_default();
    let options = arguments.options();
    let live = Perspective::from_environment(&options)?;
    let endpoint = live.endpoint().to_owned();
    let recorder = Recorder::open(live, &arguments.record)?;
    let (distinct, to_ask) = survey(&recorder, input.path()).await?;
    let plan = describe_plan(distinct, to_ask, options.requests_per_second);
    let mut summary = Summary { texts, distinct, ..Summary::default() };
    if arguments.dry_run {
        let json = json!({"record": arguments.record, "endpoint": endpoint, "texts": texts,
            "distinct": distinct, "to_ask": to_ask});
        return Ok(Report::new(json, plan + "\n"));
    }
    let observer = session.observer();
    observer.observe(&Event::Note { message: &plan });
    fill(&recorder, input.path(), to_ask, &*observer, &mut summary).await?;
    let json = json!({"record": arguments.record, "endpoint": endpoint, "summary": summary});
    Ok(Report::new(json, describe(&summary, &endpoint, &arguments.record)))
}

/// The file's texts, of equal ones the first.
fn distinct(path: &Path) -> Result<impl Iterator<Item = Result<Sample>> + Send + use<>> {
    let mut seen: HashSet<RowKey> = HashSet::new();
    let rows = JsonlReader::<TextRow>::open(path)?;
    Ok(rows.filter_map(move |row| match row {
        Ok(row) => {
            let is_new = seen.insert(RowKey::from(&Digest::of(&row.text)));
            is_new.then(|| Ok(Sample::new(row.text)))
        }
        Err(error) => Some(Err(error)),
    }))
}

/// How many different texts there are, and how many of them are to be asked for.
async fn survey(recorder: &Recorder, path: &Path) -> Result<(u64, u64)> {
    let mut batches = stream::iter(distinct(path)?).try_chunks(LOOK_UP).map_err(|failed| failed.1);
    let (mut texts, mut missing) = (0, 0);
    while let Some(batch) = batches.try_next().await? {
        texts += batch.len() as u64;
        missing += recorder.missing(&batch).await?.len() as u64;
    }
    Ok((texts, missing))
}

async fn fill(
    recorder: &Recorder,
    path: &Path,
    to_ask: u64,
    observer: &dyn Observer,
    summary: &mut Summary,
) -> Result<()> {
    let stage = Stage::Score;
    observer.observe(&Event::StageStarted { stage, total: Some(to_ask), done: 0, unit: "texts" });
    let capabilities = recorder.capabilities();
    let mut batches = stream::iter(distinct(path)?)
        .try_chunks(capabilities.batch.max(1))
        .map_err(|failed| failed.1)
        .map(|batch| async move { recorder.record(&batch?).await })
        .buffered(capabilities.concurrency.max(1));
    while let Some(batch) = batches.try_next().await? {
        let asked = batch.iter().filter(|recorded| recorded.asked).count() as u64;
        batch.iter().for_each(|recorded| summary.count(recorded));
        observer.observe(&Event::StageAdvanced { stage, count: asked });
    }
    observer.observe(&Event::StageFinished { stage });
    Ok(())
}

/// What is to be done, the quota, and the time that it sets.
fn describe_plan(distinct: u64, to_ask: u64, per_second: Option<f64>) -> String {
    let known = distinct.saturating_sub(to_ask);
    let mut plan = format!("{} texts to ask, {} known", thousands(to_ask), thousands(known));
    if let Some(per_second) = per_second {
        plan += &format!(", at most {} requests a second", rate(per_second));
        if let Ok(time) = Duration::try_from_secs_f64(to_ask as f64 / per_second) {
            plan += &format!(": at least {}", duration(time));
        }
    }
    plan
}

fn describe(summary: &Summary, endpoint: &str, record: &Path) -> String {
    let mut rows = vec![
        ("endpoint", endpoint.to_owned()),
        ("record", record.display().to_string()),
        ("texts", thousands(summary.texts)),
        ("different texts", thousands(summary.distinct)),
        ("known before", thousands(summary.known)),
        ("asked now", thousands(summary.asked)),
        ("scored", thousands(summary.scored)),
    ];
    let unscored: Vec<_> =
        summary.unscored.iter().map(|(why, count)| (format!("unscored: {why}"), *count)).collect();
    rows.extend(unscored.iter().map(|(label, count)| (label.as_str(), thousands(*count))));
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_how_long_the_quota_makes_it() {
        assert_eq!(
            describe_plan(2_486_050, 2_486_050, Some(1.0)),
            "2,486,050 texts to ask, 0 known, at most 1.0 requests a second: at least 690 h 34 min"
        );
        assert_eq!(describe_plan(10, 4, None), "4 texts to ask, 6 known");
        // A rate of next to nothing gives a time that no Duration holds.
        assert!(describe_plan(10, 4, Some(1e-300)).ends_with("requests a second"));
    }
}
