use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::audit::IdentitySource;
use detoxlm::evaluation::{
    IdentityFalsePositives, PerplexityEvaluator, PerplexitySettings, Task, TaskEvaluator, TaskSet,
    TaskSettings, ToxicityEvaluator, ToxicitySettings,
};
use detoxlm::prompts::PromptStrategy;
use detoxlm::training::{Decay, LearningRate, Method, TrainingConfig};
use detoxlm::{
    Attribute, Digest, Evaluation, GenerationConfig, Info, Pipeline, PipelineConfig, Result,
    RunSummary, Sampling, ToxicityScorer, defaults, scorer_fn,
};

use super::run;
use crate::compute::ComputeArguments;
use crate::filters::FilterArguments;
use crate::method::MethodArguments;
use crate::session::{Report, Session};
use crate::text::at_least_one;

/// How many documents the model writes.
const DOCUMENTS: u64 = 8000;

/// The zero-shot tasks of which items come with the program.
const TASKS: [&str; 2] = ["hellaswag", "hans"];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The directory of the run
    #[arg(long, value_name = "DIR", default_value = "runs/quickstart")]
    run: PathBuf,
    /// Decides every draw
    #[arg(long, value_name = "N", default_value_t = PipelineConfig::default().seed)]
    seed: u64,
    /// Documents that the model writes to be trained on; fewer are quicker and do less
    #[arg(long, value_name = "N", default_value_t = DOCUMENTS)]
    documents: u64,
    /// Measure on the first N prompts and held-out texts
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Choose texts at random instead of the least toxic: what the choice itself is worth
    #[arg(long)]
    control: bool,
    #[command(flatten)]
    filters: FilterArguments,
    #[command(flatten)]
    method: MethodArguments,
    #[command(flatten)]
    compute: ComputeArguments,
}

pub(super) async fn run(arguments: &Arguments, session: &Session) -> Result<Report> {
    let model = arguments.run.join("base");
    if !model.exists() {
        defaults::write_model(&model)?;
    }
    let classifier: Arc<dyn ToxicityScorer> = Arc::new(defaults::scorer()?);
    let second: Arc<dyn ToxicityScorer> = Arc::new(defaults::second_judge()?);
    let scorer = if arguments.control { random_scorer() } else { Arc::clone(&classifier) };
    let framework = arguments.compute.framework(&session.registry)?;
    let mut pipeline =
        Pipeline::new(config(arguments)?, &framework, scorer).with_observer(session.observer());
    for filter in arguments.filters.load(&session.registry)? {
        pipeline = pipeline.with_filter(filter);
    }
    for judge in [&classifier, &second] {
        pipeline = pipeline.with_evaluator(Arc::new(toxicity(judge, arguments)?));
    }
    pipeline = pipeline.with_evaluator(Arc::new(perplexity(arguments)?));
    let samples = arguments.run.join("data");
    for task in TASKS {
        if let Some(file) = defaults::write_task_sample(task, &samples)? {
            let set = TaskSet::read(Task::named(task)?, [file], arguments.limit)?;
            let evaluator = TaskEvaluator::new(set, TaskSettings::default())?;
            pipeline = pipeline.with_evaluator(Arc::new(evaluator));
        }
    }
    pipeline = pipeline.with_false_positives(false_positives(&samples)?);
    let summary = pipeline.run(&model, &arguments.run).await?;
    let conclusions = Vec::from_iter(conclusion(&summary, second.info()));
    let text = run::describe(&summary, &conclusions, &arguments.run);
    Ok(Report::new(run::to_json(&summary, &model, &arguments.run), text))
}

/// SGEAT (augmented) in the size of the embedded model.
///
/// Two settings differ from the paper's, for a model this small. Tokens are drawn from the whole
/// distribution (the paper: top-p 0.9): a model that is trained on its own most probable tokens forgets
/// the others, and here that alone costs perplexity. And the learning rate is ten times the paper's,
/// decaying, as there are a hundred times fewer parameters and one epoch.
fn config(arguments: &Arguments) -> Result<PipelineConfig> {
    let method = arguments.method.method()?;
    Ok(PipelineConfig {
        seed: arguments.seed,
        prompts: PromptStrategy::Augmented {
            documents: arguments.documents.div_ceil(3),
            keep_fraction: 0.25,
        },
        generation: GenerationConfig {
            documents: arguments.documents,
            sampling: Sampling { top_p: 1.0, ..Sampling::self_generation() }
                .with_max_new_tokens(100),
            ..GenerationConfig::default()
        },
        training: TrainingConfig {
            learning_rate: LearningRate {
                peak: learning_rate(&method),
                warmup_steps: 10,
                decay: Decay::Linear,
                ..LearningRate::default()
            },
            ..TrainingConfig::default()
        },
        method,
        ..PipelineConfig::default()
    })
}

/// The fewer parameters are trained, the further they have to go.
const fn learning_rate(method: &Method) -> f64 {
    match method {
        Method::Bottleneck(_) => 1.5e-3,
        Method::Lora(_) => 7e-4,
        Method::Prefix(_) => 2e-2,
        _ => 1.5e-4,
    }
}

/// RealToxicityPrompts as it is defined: 25 continuations of 20 tokens.
fn toxicity(judge: &Arc<dyn ToxicityScorer>, arguments: &Arguments) -> Result<ToxicityEvaluator> {
    let mut prompts = defaults::prompts()?;
    if let Some(limit) = arguments.limit {
        prompts = prompts.first(limit)?;
    }
    let settings = ToxicitySettings { seed: arguments.seed, ..ToxicitySettings::default() };
    ToxicityEvaluator::new(prompts, Arc::clone(judge), settings)
}

fn perplexity(arguments: &Arguments) -> Result<PerplexityEvaluator> {
    let mut texts = defaults::held_out()?;
    if let Some(limit) = arguments.limit {
        texts = texts.first(limit)?;
    }
    PerplexityEvaluator::new(texts, PerplexitySettings::default())
}

/// How the classifier treats groups of people: what it takes for toxic is not trained on.
fn false_positives(samples: &Path) -> Result<IdentityFalsePositives> {
    let source = IdentitySource {
        name: "identity-templates-sample".to_owned(),
        file: defaults::write_identity_sample(samples)?,
        ..IdentitySource::default()
    };
    IdentityFalsePositives::new(source.read()?, ToxicitySettings::default().threshold)
}

/// Ranks texts by their digests, which knows nothing of what they say.
fn random_scorer() -> Arc<dyn ToxicityScorer> {
    Arc::new(scorer_fn("random", Attribute::TOXICITY, |text| {
        let digest = Digest::of(text);
        let number = u16::from_str_radix(digest.as_str().get(..4)?, 16).ok()?;
        Some(f32::from(number) / f32::from(u16::MAX))
    }))
}

/// What the run came to in two sentences, by the judge that did not choose the texts.
fn conclusion(summary: &RunSummary, judge: &Info) -> Option<String> {
    let (toxicity, slice) = ("expected_maximum_toxicity", "full");
    let judged = |e: &&Evaluation| e.provenance.scorer.as_ref() == Some(judge);
    let base = summary.evaluations.iter().find(judged)?;
    let change = summary.changes.iter().find(|c| c.evaluator == base.provenance.evaluator)?;
    let change = change.get(toxicity, slice)?;
    let (value, interval) = (change.value?, change.interval?);
    let share = 100.0 * value.abs() / base.get(toxicity, slice)?.value?;
    let moved = match (interval.high < 0.0, interval.low > 0.0) {
        (true, _) => format!("fell by {share:.0}%"),
        (_, true) => format!("rose by {share:.0}%"),
        _ => "did not change by more than chance".to_owned(),
    };
    let mut perplexity =
        summary.evaluations.iter().filter_map(|e| e.get("token_perplexity", "all"));
    let (before, after) = (perplexity.next()?.value?, perplexity.next()?.value?);
    Some(format!(
        "By {}, which did not choose the texts, expected maximum toxicity {moved}. Perplexity on text \
         that people wrote changed by {:+.1}%.",
        judge.name,
        100.0 * (after / before - 1.0)
    ))
}
