use detoxlm::benchmark::{Benchmark, BenchmarkConfig, BenchmarkFigures, Ceilings, WorkFigures};
use detoxlm::{Error, LoadOptions, Result};

use crate::compute::ComputeArguments;
use crate::model::ModelArgument;
use crate::resources::ResourceArguments;
use crate::session::{DEFAULT_SCORER, Report, SCORERS, Session};
use crate::text::{align_columns, at_least_one, bytes, rate, thousands};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,
    #[arg(long, value_name = "SPEC", default_value = DEFAULT_SCORER, help = format!("What rates texts: {SCORERS}"))]
    scorer: String,
    /// Documents that are written, rated and trained on
    #[arg(long, value_name = "N", default_value_t = BenchmarkConfig::default().documents, value_parser = at_least_one)]
    documents: usize,
    /// The most tokens of a document
    #[arg(long, value_name = "N", default_value_t = BenchmarkConfig::default().document_tokens, value_parser = at_least_one)]
    document_tokens: usize,
    /// Tokens of a training sequence
    #[arg(long, value_name = "N", default_value_t = BenchmarkConfig::default().sequence_length, value_parser = at_least_one)]
    sequence_length: usize,
    /// Sequences of a training step
    #[arg(long, value_name = "N", default_value_t = BenchmarkConfig::default().batch_size, value_parser = at_least_one)]
    batch_size: usize,
    /// How often generation and rating are repeated; the median counts
    #[arg(long, value_name = "N", default_value_t = BenchmarkConfig::default().repeats, value_parser = at_least_one)]
    repeats: usize,
    #[command(flatten)]
    compute: ComputeArguments,
    #[command(flatten)]
    resources: ResourceArguments,
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let config = BenchmarkConfig {
        documents: arguments.documents,
        document_tokens: arguments.document_tokens,
        sequence_length: arguments.sequence_length,
        batch_size: arguments.batch_size,
        repeats: arguments.repeats,
        ..BenchmarkConfig::default()
    };
    let framework = arguments.compute.framework(&session.registry)?;
    let scorer = session.registry.scorer(&arguments.scorer)?;
    let work = tempfile::tempdir()
        .map_err(|e| Error::io("command line", "make a directory", std::env::temp_dir(), e))?;
    let place = work.path().join("embedded");
    let model = arguments.model.directory_or_embedded(place, session).await?;
    let mut options = LoadOptions::default();
    arguments.resources.apply(&mut options);
    let benchmark = Benchmark::new(config, framework, scorer)?
        .with_options(options)
        .with_observer(session.observer());
    let figures = benchmark.run(&model, work.path()).await?;
    let text = describe(&figures);
    let json = serde_json::to_value(&figures).unwrap_or_default();
    Ok(Report::new(json, text))
}

fn describe(figures: &BenchmarkFigures) -> String {
    let BenchmarkFigures { model, size, ceilings, works, .. } = figures;
    let compute = model.compute.map_or_else(String::new, |compute| format!(" on {compute}"));
    let size = size
        .map_or_else(String::new, |size| format!(", {} parameters", thousands(size.parameters)));
    let mut text = format!("{}{size}, by {}{compute}\n", model.name, model.version);
    if let Some(Ceilings { operations, bytes }) = ceilings {
        text.push_str(&format!(
            "This machine: {:.1} GFLOP/s in products of matrices, {:.1} GB/s read of memory\n",
            operations / 1e9,
            bytes / 1e9,
        ));
    }
    let rows: Vec<String> = works.iter().map(row).collect();
    let table = format!(
        "| work | rate | of the products | of the memory | peak memory |\n|---|---:|---:|---:|---:|\n{}\n",
        rows.join("\n")
    );
    text.push('\n');
    text.push_str(&align_columns(&table));
    text
}

fn row(work: &WorkFigures) -> String {
    let share =
        |share: Option<f64>| share.map_or("–".to_owned(), |one| format!("{:.0}%", 100.0 * one));
    format!(
        "| {} | {} {}/s | {} | {} | {} |",
        work.name,
        rate(work.rate),
        work.unit,
        share(work.of_operations),
        share(work.of_bytes),
        work.peak_memory.map_or("–".to_owned(), bytes),
    )
}
