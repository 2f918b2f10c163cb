mod data;
mod suites;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::evaluation::{
    EvaluationContext, Slice, Suite, ToxicityPreset, ToxicitySettings, comparison_tables,
    lm_eval_results, summary_table,
};
use detoxlm::files::write_json;
use detoxlm::{Attribute, Evaluation, Evaluator, Framework, Result, Subject, report};
use serde_json::json;

use self::suites::{Suites, evaluators};
use crate::compute::ComputeArguments;
use crate::model::AdaptedModelArgument;
use crate::resources::ResourceArguments;
use crate::sampling::SamplingArguments;
use crate::session::{Report, SCORERS, Session};
use crate::text::align_columns;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: AdaptedModelArgument,
    /// What is measured
    #[arg(long, value_name = "NAME")]
    suite: SuiteName,
    /// rtp: JSONL of prompts, with their own toxicity where they have one; all: those that come with
    /// detoxlm when not given
    #[arg(long, value_name = "FILE", required_if_eq("suite", "rtp"))]
    prompts: Option<PathBuf>,
    /// rtp: only the prompts of this slice
    #[arg(long, value_name = "NAME")]
    slice: Option<SliceName>,
    /// perplexity: a .txt, which is one document, or JSONL with a field `text`; all: the one that comes
    /// with detoxlm when not given
    #[arg(long, value_name = "FILE", required_if_eq("suite", "perplexity"))]
    text: Option<PathBuf>,
    /// A folder of what may not be passed on: tasks/NAME.jsonl (or .csv, .tsv, .txt) for each task, and
    /// bold/ as released
    #[arg(long, value_name = "DIR", required_if_eq("suite", "bias"))]
    data: Option<PathBuf>,
    /// tasks: NAME of a built-in task or FILE.toml of one's own, whose items are in --data, or
    /// NAME=FILE[,FILE] with its items; may be given several times; all that are found when not given
    #[arg(long, value_name = "TASK")]
    task: Vec<String>,
    #[arg(long, value_name = "SPEC", help = format!("rtp, bias: a judge; may be given several times: {SCORERS}"))]
    scorer: Vec<String>,
    /// bias: who says how kind a continuation sounds
    #[arg(long, value_name = "SPEC", default_value = suites::SENTIMENT)]
    sentiment: String,
    /// bias: at most N prompts and sentences of each group
    #[arg(long, value_name = "N", value_parser = crate::text::at_least_one)]
    per_group: Option<usize>,
    /// rtp: another model, which says how fluent the continuations are
    #[arg(long, value_name = "DIR|NAME")]
    fluency_model: Option<PathBuf>,
    /// Where what was generated and measured goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Take the first N prompts, texts, or items of each task
    #[arg(long, value_name = "N", value_parser = crate::text::at_least_one)]
    limit: Option<usize>,
    #[command(flatten)]
    compute: ComputeArguments,
    #[command(flatten)]
    resources: ResourceArguments,
    #[command(flatten)]
    toxicity: ToxicityArguments,
    #[command(flatten)]
    sampling: SamplingArguments,
}

/// Arguments that change [`ToxicitySettings`]; its defaults are the preset's.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Toxicity")]
struct ToxicityArguments {
    /// Continuations of each prompt [default: the preset's; rtp: 25]
    #[arg(long, value_name = "K")]
    samples: Option<usize>,
    /// A continuation is toxic over this value [default: the preset's; rtp: 0.5]
    #[arg(long, value_name = "VALUE")]
    threshold: Option<f32>,
    /// The attribute that is measured
    #[arg(long, value_name = "NAME", default_value = "TOXICITY")]
    attribute: Attribute,
    /// Whose way of drawing and counting
    #[arg(long, value_name = "NAME", default_value = "rtp")]
    preset: PresetName,
    /// Decides the draws
    #[arg(long, value_name = "N", default_value_t = ToxicitySettings::default().seed)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SuiteName {
    /// Toxicity of continuations of RealToxicityPrompts, or of any prompts
    Rtp,
    /// How well a text is predicted
    Perplexity,
    /// Zero-shot tasks, as lm-evaluation-harness scores them
    Tasks,
    /// How differently the groups of BOLD are treated
    Bias,
    /// All of these that there is data for
    All,
}

/// By how toxic a prompt is itself.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SliceName {
    /// Prompts whose own toxicity is over 0.5
    Toxic,
    /// The other prompts that have a toxicity of their own
    Nontoxic,
    /// Those that RealToxicityPrompts marks: every model of its paper continued them with a toxic text
    Challenging,
}

impl SliceName {
    const fn slice(self) -> Slice {
        match self {
            Self::Toxic => Slice::Toxic,
            Self::Nontoxic => Slice::Nontoxic,
            Self::Challenging => Slice::Challenging,
        }
    }
}

/// Whose counting rules.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PresetName {
    /// RealToxicityPrompts
    Rtp,
    /// The code released with SGEAT
    #[value(name = "sgeat-2022")]
    Sgeat2022,
    /// HELM: five continuations at temperature 0.9
    Helm,
    /// lm-evaluation-harness: one greedy continuation
    LmEval,
}

impl Arguments {
    fn toxicity_settings(&self) -> Result<ToxicitySettings> {
        let arguments = &self.toxicity;
        let preset = match arguments.preset {
            PresetName::Rtp => ToxicityPreset::Rtp,
            PresetName::Sgeat2022 => ToxicityPreset::Sgeat2022,
            PresetName::Helm => ToxicityPreset::Helm,
            PresetName::LmEval => ToxicityPreset::LmEval,
        };
        let default = preset.settings();
        Ok(ToxicitySettings {
            attribute: arguments.attribute.clone(),
            continuations: arguments.samples.unwrap_or(default.continuations),
            sampling: self.sampling.apply(default.sampling.clone())?,
            seed: arguments.seed,
            threshold: arguments.threshold.unwrap_or(default.threshold),
            ..default
        })
    }

    async fn suites<'a>(
        &'a self,
        framework: &Framework,
        session: &'a Session,
    ) -> Result<Suites<'a>> {
        let fluency = match &self.fluency_model {
            Some(model) => Some(self.resources.judge(framework, model, session).await?),
            None => None,
        };
        Ok(Suites {
            session,
            toxicity: self.toxicity_settings()?,
            prompts: self.prompts.as_deref(),
            slice: self.slice.map(SliceName::slice),
            text: self.text.as_deref(),
            data: self.data.as_deref(),
            tasks: &self.task,
            judges: &self.scorer,
            sentiment: &self.sentiment,
            per_group: self.per_group,
            fluency,
            limit: self.limit,
            out: &self.out,
        })
    }
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let inputs: Vec<&Path> =
        [&arguments.prompts, &arguments.text].into_iter().filter_map(Option::as_deref).collect();
    session.check_streams(&inputs, &[])?;
    let framework = arguments.compute.framework(&session.registry)?;
    let suites = arguments.suites(&framework, session).await?;
    let evaluators = evaluators(&suites, arguments.suite)?;
    let subject = subject(arguments, &framework, session).await?;
    if let [evaluator] = evaluators.as_slice()
        && arguments.suite != SuiteName::All
    {
        return one(&**evaluator, &subject, &arguments.out, session).await;
    }
    let suite =
        Suite::new(evaluators, arguments.out.join("shared")).with_observer(session.observer());
    let evaluations = suite.evaluate(&subject, &arguments.out).await?;
    write_json(arguments.out.join("metrics.json"), &evaluations)?;
    write_json(arguments.out.join("results.json"), &lm_eval_results(&evaluations)?)?;
    report::evaluation(&arguments.out)?.write(&arguments.out)?;
    let text = format!(
        "{}\nEverything else is in {}\n",
        align_columns(&summary_table(&evaluations, &[])),
        arguments.out.join("report.html").display()
    );
    Ok(Report::new(json!({"out": arguments.out, "evaluations": evaluations}), text))
}

/// A single measurement has the directory for itself.
async fn one(
    evaluator: &dyn Evaluator,
    subject: &Subject,
    out: &Path,
    session: &Session,
) -> Result<Report> {
    let context = EvaluationContext {
        directory: out.to_path_buf(),
        shared: None,
        observer: session.observer(),
    };
    let evaluation = evaluator.evaluate(subject, &context).await?;
    let text = describe(std::slice::from_ref(&evaluation));
    Ok(Report::new(json!({"out": out, "evaluation": evaluation}), text))
}

/// The model that is measured; the embedded one is unpacked into `OUT.model`.
async fn subject(
    arguments: &Arguments,
    framework: &Framework,
    session: &Session,
) -> Result<Subject> {
    let place = super::train::beside(&arguments.out, ".model");
    let directory = arguments.model.model.directory_or_embedded(place, session).await?;
    let model = arguments.model.with_model(directory);
    arguments.resources.load(framework, &model, session).await
}

/// The tables of evaluations, for a terminal.
pub(super) fn describe(evaluations: &[Evaluation]) -> String {
    comparison_tables(evaluations, &[])
        .iter()
        .map(|(title, table)| format!("\n{title}\n{}", align_columns(table)))
        .collect()
}

type Evaluators = Vec<Arc<dyn Evaluator>>;
