use std::collections::BTreeMap;
use std::path::PathBuf;

use detoxlm::audit::{LabelledSet, LabelledSource};
use detoxlm::calibration::{Evidence, FitSettings, MapKind, fit_and_measure};
use detoxlm::files::write_atomically;
use detoxlm::layers::Calibration;
use detoxlm::{
    Attribute, Error, ErrorKind, Event, Result, Sample, Stage, ToxicityScorer, Verdict, calls,
};
use serde_json::json;

use crate::session::{DEFAULT_SCORER, Report, SCORERS, Session};
use crate::text::align_columns;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_name = "SPEC", default_value = DEFAULT_SCORER, help = format!("The scorer whose values are mapped: {SCORERS}"))]
    scorer: String,
    /// Texts with stored scores or labels: JSONL, CSV or TSV, also compressed
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// The field of the text, such as text or continuation.text
    #[arg(long, value_name = "FIELD", default_value = "text")]
    text: String,
    /// The field of the scores to map to: an object of numbers by attribute, or with one --attribute
    /// also a number or a label
    #[arg(long, value_name = "FIELD", default_value = "scores")]
    target: String,
    /// An attribute to map; may be given several times [default: all that both have]
    #[arg(long, value_name = "NAME")]
    attribute: Vec<Attribute>,
    /// Use rows whose field has this value; may be given several times
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = condition)]
    conditions: Vec<(String, String)>,
    /// Whose scale it is, such as "Perspective 2020"
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What kind of map
    #[arg(long, value_name = "NAME", default_value = "isotonic")]
    kind: KindName,
    /// The share of the texts that the map is measured on and not fitted to
    #[arg(long, value_name = "SHARE", default_value_t = FitSettings::default().held_out)]
    held_out: f64,
    /// Where the calibration goes: use it as SPEC@FILE.json
    #[arg(long, value_name = "FILE.json")]
    out: PathBuf,
    /// Where reliability curves before and after go
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum KindName {
    /// Whatever never decreases; for thousands of texts
    Isotonic,
    /// A slope and an offset of the log-odds; for hundreds
    Logistic,
}

/// `FIELD=VALUE`.
fn condition(text: &str) -> Result<(String, String), &'static str> {
    let (field, value) = text.split_once('=').ok_or("write FIELD=VALUE")?;
    Ok((field.to_owned(), value.to_owned()))
}

impl Arguments {
    fn settings(&self) -> FitSettings {
        FitSettings {
            kind: match self.kind {
                KindName::Isotonic => MapKind::Isotonic,
                KindName::Logistic => MapKind::Logistic,
            },
            held_out: self.held_out,
            ..FitSettings::default()
        }
    }

    fn read(&self) -> Result<LabelledSet> {
        if self.out.extension().is_none_or(|extension| extension != "json") {
            let message = "a calibration is used as SPEC@FILE.json";
            return Err(refused(message).with_path(&self.out).with_remedy("name it *.json"));
        }
        let source = LabelledSource {
            file: self.input.clone(),
            text: self.text.clone(),
            filter: self.conditions.iter().cloned().collect(),
            ..LabelledSource::default()
        };
        let by_attribute = LabelledSource { scores: Some(self.target.clone()), ..source.clone() };
        let [attribute] = self.attribute.as_slice() else { return by_attribute.read() };
        by_attribute.read().or_else(|error| {
            // With one attribute named, the field may be its value alone.
            let labels = BTreeMap::from([(attribute.clone(), self.target.clone())]);
            LabelledSource { labels, ..source }.read().map_err(|_| error)
        })
    }

    /// What is mapped, of what both have.
    fn attributes(&self, given: &[Attribute], set: &LabelledSet) -> Result<Vec<Attribute>> {
        let in_set = set.attributes();
        if let Some(lacking) = self.attribute.iter().find(|attribute| !given.contains(attribute)) {
            return Err(refused("the scorer does not give it").with_key(lacking.to_string()));
        }
        if let Some(lacking) = self.attribute.iter().find(|attribute| !in_set.contains(attribute)) {
            return Err(refused("no row has a value of it")
                .with_path(&self.input)
                .with_key(lacking.to_string()));
        }
        let wanted = if self.attribute.is_empty() { given } else { &self.attribute };
        let common: Vec<_> = wanted.iter().filter(|one| in_set.contains(one)).cloned().collect();
        if common.is_empty() {
            return Err(refused("scorer and file have no attribute in common")
                .with_path(&self.input)
                .with_key(self.target.clone()));
        }
        Ok(common)
    }
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "calibration", "fit a map", message)
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let scorer = session.registry.scorer(&arguments.scorer)?;
    let set = arguments.read()?;
    let attributes = arguments.attributes(&scorer.capabilities().attributes, &set)?;
    let verdicts = score(&*scorer, &set, session).await?;
    let settings = arguments.settings();
    let (mut maps, mut fits) = (BTreeMap::new(), BTreeMap::new());
    for attribute in attributes {
        let pairs = set.texts.iter().zip(&verdicts).filter_map(|(text, verdict)| {
            let target = *text.labels.get(&attribute)?;
            Some((text.text.as_str(), (f64::from(verdict.get(&attribute)?), target)))
        });
        let (map, fit) =
            fit_and_measure(pairs, &settings).map_err(|error| error.with_path(&arguments.input))?;
        maps.insert(attribute.clone(), map);
        fits.insert(attribute, fit);
    }
    let evidence = Evidence { data: set.info, settings, fits };
    if let Some(svg) = &arguments.svg {
        write_atomically(svg, evidence.picture(&arguments.name))?;
    }
    let calibration = Calibration {
        scorer: scorer.info().digest.clone(),
        target: arguments.name.clone(),
        maps,
        evidence: Some(evidence),
    };
    calibration.write(&arguments.out)?;
    let json = json!({
        "out": arguments.out,
        "svg": arguments.svg,
        "scorer": scorer.info(),
        "target": calibration.target,
        "evidence": calibration.evidence,
    });
    Ok(Report::new(json, describe(&calibration, arguments)))
}

async fn score(
    scorer: &dyn ToxicityScorer,
    set: &LabelledSet,
    session: &Session,
) -> Result<Vec<Verdict>> {
    let observer = session.observer();
    let (stage, total) = (Stage::Score, Some(set.texts.len() as u64));
    observer.observe(&Event::StageStarted { stage, total, done: 0, unit: "texts" });
    let samples: Vec<Sample> = set.texts.iter().map(|text| Sample::new(&*text.text)).collect();
    let mut verdicts = Vec::with_capacity(samples.len());
    for chunk in samples.chunks(1024) {
        verdicts.extend(calls::score(scorer, chunk).await?);
        observer.observe(&Event::StageAdvanced { stage, count: chunk.len() as u64 });
    }
    observer.observe(&Event::StageFinished { stage });
    Ok(verdicts)
}

fn describe(calibration: &Calibration, arguments: &Arguments) -> String {
    let table = calibration.evidence.as_ref().map_or_else(String::new, Evidence::table);
    format!(
        "{}\nUse it as --scorer {}@{}\n",
        align_columns(&table),
        arguments.scorer,
        arguments.out.display()
    )
}
