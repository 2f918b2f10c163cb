use std::path::PathBuf;

use detoxlm::calls;
use detoxlm::corpus::{JsonlReader, JsonlWriter, PromptRow};
use detoxlm::{
    Event, FinishReason, Generation, GenerationRequest, Generator, PipelineConfig, Result,
    Sampling, Stage,
};
use serde::Serialize;
use serde_json::json;

use crate::compute::ComputeArguments;
use crate::model::AdaptedModelArgument;
use crate::resources::ResourceArguments;
use crate::rows;
use crate::sampling::SamplingArguments;
use crate::session::{Report, Session};
use crate::text::{at_least_one, table, thousands};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("prompted").required(true).args(["prompts", "unconditional"]))]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: AdaptedModelArgument,
    /// JSONL of prompts: {"prompt": "..."}, {"text": "..."} or rows of RealToxicityPrompts
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Let the model write N texts from nothing
    #[arg(long, value_name = "N")]
    unconditional: Option<u64>,
    /// Continuations of each prompt
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = at_least_one)]
    samples: usize,
    /// Decides every draw
    #[arg(long, value_name = "N", default_value_t = PipelineConfig::default().seed)]
    seed: u64,
    /// JSONL of continuations: {id, prompt, sample, text, finish, tokens, seed}
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    compute: ComputeArguments,
    #[command(flatten)]
    resources: ResourceArguments,
}

/// A continuation.
#[derive(Serialize)]
struct Row<'a> {
    id: u64,
    prompt: &'a str,
    sample: usize,
    text: &'a str,
    finish: FinishReason,
    tokens: usize,
    seed: u64,
}

/// What was written.
#[derive(Default, Serialize)]
struct Summary {
    prompts: u64,
    continuations: u64,
    tokens: u64,
    stopped: u64,
}

impl Summary {
    fn count(&mut self, generation: &Generation) {
        self.continuations += 1;
        self.tokens += generation.tokens as u64;
        self.stopped += u64::from(generation.finish == FinishReason::Stop);
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let prompts_file = arguments.prompts.as_deref();
    let rows_on_stdout =
        session.check_streams(&prompts_file.into_iter().collect::<Vec<_>>(), &[&arguments.out])?;
    let sampling = arguments.sampling.apply(Sampling::self_generation())?;
    let (total, mut prompts) = arguments.prompts()?;
    let observer = session.observer();
    let framework = arguments.compute.framework(&session.registry)?;
    let generator =
        arguments.resources.load(&framework, &arguments.model, session).await?.generator;
    let mut writer = JsonlWriter::create(&arguments.out)?;
    let mut summary = Summary::default();
    observer.observe(&Event::StageStarted {
        stage: Stage::Generate,
        total,
        done: 0,
        unit: "prompts",
    });
    loop {
        let unit = unit_size(&*generator, arguments.samples);
        let requests = prompts
            .by_ref()
            .take(unit)
            .zip(summary.prompts..)
            .map(|(prompt, id)| {
                Ok(GenerationRequest {
                    id,
                    prompt: prompt?,
                    samples: arguments.samples,
                    sampling: sampling.clone(),
                    seed: arguments.seed,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if requests.is_empty() {
            break;
        }
        let continued = calls::generate(&*generator, &requests).await?;
        for (request, generations) in requests.iter().zip(&continued) {
            for (sample, generation) in generations.iter().enumerate() {
                writer.write(&Row {
                    id: request.id,
                    prompt: &request.prompt,
                    sample,
                    text: &generation.text,
                    finish: generation.finish,
                    tokens: generation.tokens,
                    seed: request.seed,
                })?;
                summary.count(generation);
            }
        }
        let count = requests.len() as u64;
        summary.prompts += count;
        observer.observe(&Event::StageAdvanced { stage: Stage::Generate, count });
    }
    writer.commit()?;
    observer.observe(&Event::StageFinished { stage: Stage::Generate });
    let text = table(&[
        ("prompts", thousands(summary.prompts)),
        ("continuations", thousands(summary.continuations)),
        ("tokens", thousands(summary.tokens)),
        ("ended by the model", thousands(summary.stopped)),
    ]);
    let json = json!({"out": arguments.out, "model": generator.info(), "written": summary});
    Ok(Report { rows_on_stdout, ..Report::new(json, text) })
}

/// Prompts of a call: enough that the batch stays full while its last sequences finish, and few
/// enough that memory does not grow with the file.
fn unit_size(generator: &dyn Generator, samples: usize) -> usize {
    const BATCHES: usize = 4;
    (BATCHES * generator.capabilities().batch).div_ceil(samples).max(1)
}

type PromptTexts = Box<dyn Iterator<Item = Result<String>> + Send>;

impl Arguments {
    /// How many prompts there are, if known, and the prompts.
    fn prompts(&self) -> Result<(Option<u64>, PromptTexts)> {
        match (&self.prompts, self.unconditional) {
            (Some(path), _) => {
                let total = rows::check::<PromptRow>(path)?;
                let rows = JsonlReader::<PromptRow>::open(path)?;
                Ok((total, Box::new(rows.map(|row| row.map(|row| row.text().to_owned())))))
            }
            (None, number) => {
                let number = number.unwrap_or(0);
                Ok((Some(number), Box::new((0..number).map(|_| Ok(String::new())))))
            }
        }
    }
}
