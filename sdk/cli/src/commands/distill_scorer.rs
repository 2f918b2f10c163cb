use std::path::{Path, PathBuf};

use detoxlm::candle::{CandleDistiller, CandleOptions};
use detoxlm::distillation::{
    AttributeFigures, DistillationConfig, DistillationJob, DistillationOutcome,
};
use detoxlm::{Attribute, PipelineConfig, Result};
use serde_json::json;

use super::train::{beside, paths, spool};
use crate::config::read;
use crate::session::{Report, Session};
use crate::text::{align_columns, table, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// JSONL of texts with `scores` and perhaps a `source`; may be given several times
    #[arg(long = "in", value_name = "FILE", required = true)]
    input: Vec<PathBuf>,
    /// Where the classifier's directory goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the vocabulary and checkpoints go [default: OUT.train]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Texts without labels, to learn from what tokens mean; may be given several times
    #[arg(long, value_name = "FILE")]
    unlabelled: Vec<PathBuf>,
    /// TOML with the settings of the training; the arguments below win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Decides first weights, the order of the rows and what is dropped; a second network has the next
    #[arg(long, value_name = "N", default_value_t = PipelineConfig::default().seed)]
    seed: u64,
    /// Threads that compute [default: every core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    settings: Settings,
}

/// Arguments that change a [`DistillationConfig`].
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Training")]
struct Settings {
    /// What the classifier is called [default: distilled]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The source whose scale is learned; needed where the rows have several
    #[arg(long, value_name = "SOURCE")]
    scale: Option<String>,
    /// An attribute to learn; may be given several times [default: all that the scale has]
    #[arg(long, value_name = "NAME")]
    attribute: Vec<Attribute>,
    /// Passes over the rows [default: 6]
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Size of a token's vector [default: 128]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Size of the layer before the logits [default: 128]
    #[arg(long, value_name = "N")]
    hidden: Option<usize>,
    /// Tokens of the vocabulary [default: 16000]
    #[arg(long, value_name = "N")]
    vocabulary: Option<usize>,
    /// Networks to train, whose mean is what a score is [default: 1]
    #[arg(long, value_name = "N")]
    networks: Option<usize>,
    /// Tokens of a step [default: 6144]
    #[arg(long, value_name = "N")]
    batch_tokens: Option<usize>,
    /// The highest learning rate [default: 0.0025]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// The share of the scale's texts to measure on, and not to train on [default: 0.05]
    #[arg(long, value_name = "SHARE")]
    held_out: Option<f64>,
}

fn set<T: Clone>(target: &mut T, given: Option<&T>) {
    if let Some(value) = given {
        target.clone_from(value);
    }
}

impl Settings {
    fn apply(&self, config: &mut DistillationConfig) {
        set(&mut config.name, self.name.as_ref());
        if self.scale.is_some() {
            config.scale.clone_from(&self.scale);
        }
        if !self.attribute.is_empty() {
            config.attributes.clone_from(&self.attribute);
        }
        set(&mut config.epochs, self.epochs.as_ref());
        set(&mut config.width, self.width.as_ref());
        set(&mut config.hidden, self.hidden.as_ref());
        set(&mut config.vocabulary, self.vocabulary.as_ref());
        set(&mut config.networks, self.networks.as_ref());
        set(&mut config.batch_tokens, self.batch_tokens.as_ref());
        set(&mut config.learning_rate, self.lr.as_ref());
        set(&mut config.held_out, self.held_out.as_ref());
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let inputs: Vec<&Path> =
        arguments.input.iter().chain(&arguments.unlabelled).map(PathBuf::as_path).collect();
    session.check_streams(&inputs, &[])?;
    let mut config = match &arguments.config {
        Some(path) => read(path)?.0,
        None => DistillationConfig::default(),
    };
    arguments.settings.apply(&mut config);
    config.validate()?;
    let rows = spool(&arguments.input)?;
    let unlabelled = spool(&arguments.unlabelled)?;
    let job = DistillationJob {
        rows: paths(&rows),
        unlabelled: paths(&unlabelled),
        config,
        seed: arguments.seed,
        work: arguments.work.clone().unwrap_or_else(|| beside(&arguments.out, ".train")),
        output: arguments.out.clone(),
    };
    let mut options = CandleOptions::default();
    if let Some(threads) = arguments.threads {
        options = options.with_threads(threads);
    }
    let outcome = CandleDistiller::new(options)?.distil(&job, session.observer()).await?;
    let json = json!({"work": job.work, "classifier": outcome});
    Ok(Report::new(json, describe(&outcome)))
}

fn describe(outcome: &DistillationOutcome) -> String {
    let sources: Vec<String> = outcome.rows.keys().map(|name| format!("  {name}")).collect();
    let all = outcome.rows.values().sum::<usize>();
    let mut rows = vec![
        ("classifier", outcome.model.display().to_string()),
        ("trained on", format!("{} texts", thousands(all as u64))),
    ];
    let counts = outcome.rows.values().map(|&count| thousands(count as u64));
    rows.extend(sources.iter().map(String::as_str).zip(counts));
    rows.extend([
        ("held out", format!("{} texts", thousands(outcome.held_out as u64))),
        ("steps", thousands(outcome.steps)),
        ("parameters", thousands(outcome.parameters)),
        ("final loss", format!("{:.4}", outcome.final_loss)),
    ]);
    let mut text = table(&rows);
    if !outcome.figures.is_empty() {
        text.push_str("\nOn the held-out texts:\n");
        text.push_str(&align_columns(&figures(&outcome.figures)));
    }
    text
}

/// A Markdown table of what was measured; a dash where there is nothing to measure on.
fn figures(figures: &[AttributeFigures]) -> String {
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let mut text = "| attribute | texts | >= 0.5 | AUC | Pearson |\n".to_owned();
    text.push_str("| --- | ---: | ---: | ---: | ---: |\n");
    for one in figures {
        let AttributeFigures { attribute, texts, positives, auc, pearson } = one;
        let (auc, pearson) = (shown(*auc), shown(*pearson));
        text.push_str(&format!("| {attribute} | {texts} | {positives} | {auc} | {pearson} |\n"));
    }
    text
}
