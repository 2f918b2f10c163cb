use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::evaluation::summary_table;
use detoxlm::{Evaluation, Pipeline, Result, RunSummary};
use serde_json::{Value, json};

use super::{select, train};
use crate::compute::ComputeArguments;
use crate::config::{RunConfig, Surroundings};
use crate::filters::{self, FilterArguments};
use crate::model;
use crate::session::{Report, Session};
use crate::text::{align_columns, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to do, in TOML
    #[arg(value_name = "CONFIG.toml")]
    config: PathBuf,
    #[command(flatten)]
    filters: FilterArguments,
    /// The directory of the run, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    #[command(flatten)]
    compute: ComputeArguments,
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let config = RunConfig::read(&arguments.config)?;
    // What is wrong with a value is told with the file that holds it.
    let in_file = |e: detoxlm::Error| match e.path() {
        None => e.with_path(&arguments.config),
        Some(_) => e,
    };
    let model = config.model().map_err(in_file)?;
    let run = match &arguments.run {
        Some(run) => run,
        None => config.run().map_err(in_file)?,
    };
    let settings = config.pipeline();
    settings.validate().map_err(in_file)?;
    let framework =
        arguments.compute.framework_of(&config.compute, &arguments.config, &session.registry)?;
    let scorer = session.registry.scorer(&config.scorer)?;
    let mut pipeline =
        Pipeline::new(settings, &framework, Arc::clone(&scorer)).with_observer(session.observer());
    let named = filters::load(&config.filters, &session.registry).map_err(in_file)?;
    for filter in named.into_iter().chain(arguments.filters.load(&session.registry)?) {
        pipeline = pipeline.with_filter(filter);
    }
    let surroundings = Surroundings {
        filter: (config.scorer.as_str(), &scorer),
        framework: &framework,
        folder: config.folder(),
        session,
    };
    for evaluator in config.evaluation.evaluators(surroundings).await.map_err(in_file)? {
        pipeline = pipeline.with_evaluator(evaluator);
    }
    if let Some(asked) = config.false_positives().map_err(in_file)? {
        pipeline = pipeline.with_false_positives(asked);
    }
    let model = model::directory(model, config.folder(), session).await.map_err(in_file)?;
    let summary = pipeline.run(&model, run).await?;
    Ok(Report::new(to_json(&summary, &model, run), describe(&summary, &[], run)))
}

pub(super) fn to_json(summary: &RunSummary, model: &Path, run: &Path) -> Value {
    json!({
        "model": model,
        "run": run,
        "selection": summary.selection,
        "training": summary.training,
        "evaluations": summary.evaluations,
        "changes": summary.changes,
        "false_positives": summary.false_positives,
    })
}

/// What a run came to, with sentences that conclude from it, and last where the report is.
pub(super) fn describe(summary: &RunSummary, conclusions: &[String], run: &Path) -> String {
    let mut text = format!("Selection\n{}", select::describe(&summary.selection));
    text.push_str(&format!("\nTraining\n{}", train::describe(&summary.training)));
    let table = summary_table(&summary.evaluations, &summary.changes);
    if !table.is_empty() {
        text.push_str(&format!("\nBefore and after\n{}", align_columns(&table)));
    }
    let filter = summary.false_positives.as_ref().and_then(false_positives);
    for sentence in conclusions.iter().chain(&filter) {
        text.push_str(&format!("\n{sentence}\n"));
    }
    text.push_str(&format!("\nEverything else is in {}\n", run.join("report.html").display()));
    text
}

/// Whom the scorer takes for toxic, in a sentence.
fn false_positives(found: &Evaluation) -> Option<String> {
    let all = found.get("false_positive_rate", "identity")?;
    let one = found.measurements.iter().find(|measurement| measurement.slice != all.slice)?;
    Some(format!(
        "{} calls {:.1}% of {} harmless sentences toxic that name groups of people, and {:.1}% of those with `{}`: \
         texts about some groups are likelier to be dropped than about others.",
        found.subject,
        100.0 * all.value?,
        thousands(all.n),
        100.0 * one.value?,
        one.slice.strip_prefix("identity/")?,
    ))
}
