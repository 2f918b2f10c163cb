use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::evaluation::{
    EvaluationContext, PerplexityEvaluator, PerplexitySettings, PromptSet, TextSet,
    ToxicityEvaluator, ToxicityPreset, ToxicitySettings, comparison_tables,
};
use detoxlm::{Attribute, Evaluation, Evaluator, Result, Sampling};
use serde_json::json;

use crate::model::AdaptedModelArgument;
use crate::resources::ResourceArguments;
use crate::sampling::SamplingArguments;
use crate::session::{DEFAULT_SCORER, Report, SCORERS, Session};
use crate::text::align_columns;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: AdaptedModelArgument,
    /// What runs the model
    #[arg(long, value_name = "NAME", default_value = "candle")]
    framework: String,
    /// What is measured
    #[arg(long, value_name = "NAME")]
    suite: Suite,
    /// rtp: JSONL of prompts, with their own toxicity where they have one
    #[arg(long, value_name = "FILE", required_if_eq("suite", "rtp"))]
    prompts: Option<PathBuf>,
    /// perplexity: a .txt, which is one document, or JSONL with a field `text`
    #[arg(long, value_name = "FILE", required_if_eq("suite", "perplexity"))]
    text: Option<PathBuf>,
    #[arg(long, value_name = "SPEC", default_value = DEFAULT_SCORER, help = format!("rtp: the judge: {SCORERS}"))]
    scorer: String,
    /// Where what was generated and measured goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Take the first N prompts or texts
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    resources: ResourceArguments,
    #[command(flatten)]
    toxicity: ToxicityArguments,
    #[command(flatten)]
    sampling: SamplingArguments,
}

/// Arguments that change [`ToxicitySettings`]; its defaults are those of RealToxicityPrompts.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Toxicity")]
struct ToxicityArguments {
    /// Continuations of each prompt [default: 25]
    #[arg(long, value_name = "K")]
    samples: Option<usize>,
    /// A continuation is toxic over this value [default: 0.5]
    #[arg(long, value_name = "VALUE")]
    threshold: Option<f32>,
    /// The attribute that is measured
    #[arg(long, value_name = "NAME", default_value = "TOXICITY")]
    attribute: Attribute,
    /// How missing scores and slices count
    #[arg(long, value_name = "NAME", default_value = "rtp")]
    preset: PresetName,
    /// Decides the draws
    #[arg(long, value_name = "N", default_value_t = ToxicitySettings::default().seed)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Suite {
    /// Toxicity of continuations of RealToxicityPrompts, or of any prompts
    Rtp,
    /// How well a text is predicted
    Perplexity,
}

/// Whose counting rules.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PresetName {
    /// RealToxicityPrompts
    Rtp,
    /// The code released with SGEAT
    #[value(name = "sgeat-2022")]
    Sgeat2022,
}

impl Arguments {
    fn toxicity_settings(&self) -> Result<ToxicitySettings> {
        let default = ToxicitySettings::default();
        let arguments = &self.toxicity;
        Ok(ToxicitySettings {
            attribute: arguments.attribute.clone(),
            continuations: arguments.samples.unwrap_or(default.continuations),
            sampling: self.sampling.apply(Sampling::real_toxicity_prompts())?,
            seed: arguments.seed,
            threshold: arguments.threshold.unwrap_or(default.threshold),
            preset: match arguments.preset {
                PresetName::Rtp => ToxicityPreset::Rtp,
                PresetName::Sgeat2022 => ToxicityPreset::Sgeat2022,
            },
            ..default
        })
    }

    fn evaluator(&self, session: &Session) -> Result<Arc<dyn Evaluator>> {
        // The arguments that a suite needs are required by the parser.
        let file = |file: &Option<PathBuf>| file.clone().unwrap_or_default();
        Ok(match self.suite {
            Suite::Rtp => {
                let settings = self.toxicity_settings()?;
                let prompts = PromptSet::read(file(&self.prompts), self.limit)?;
                let judge = session.registry.scorer(&self.scorer)?;
                Arc::new(ToxicityEvaluator::new(prompts, judge, settings)?)
            }
            Suite::Perplexity => {
                let texts = TextSet::read(file(&self.text), self.limit)?;
                Arc::new(PerplexityEvaluator::new(texts, PerplexitySettings::default())?)
            }
        })
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let inputs: Vec<&Path> =
        [&arguments.prompts, &arguments.text].into_iter().filter_map(Option::as_deref).collect();
    session.check_streams(&inputs, &[])?;
    let evaluator = arguments.evaluator(session)?;
    let subject = arguments.resources.load(&arguments.framework, &arguments.model, session).await?;
    let context = EvaluationContext {
        directory: arguments.out.clone(),
        shared: None,
        observer: session.observer(),
    };
    let evaluation = evaluator.evaluate(&subject, &context).await?;
    let text = describe(std::slice::from_ref(&evaluation));
    let json = json!({"out": arguments.out, "evaluation": evaluation});
    Ok(Report::new(json, text))
}

/// The tables of evaluations, for a terminal.
pub(super) fn describe(evaluations: &[Evaluation]) -> String {
    comparison_tables(evaluations, &[])
        .iter()
        .map(|(title, table)| format!("\n{title}\n{}", align_columns(table)))
        .collect()
}
