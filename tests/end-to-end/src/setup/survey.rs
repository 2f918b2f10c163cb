use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm::evaluation::{
    BiasEvaluator, BiasJudges, BiasSettings, BoldSet, Bootstrap, EvaluationPrompt,
    PerplexityEvaluator, PerplexitySettings, PromptSet, Task, TaskEvaluator, TaskSet, TaskSettings,
    TextSet, ToxicityEvaluator, ToxicitySettings,
};
use detoxlm::files::{write_atomically, write_json};
use detoxlm::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
use detoxlm::training::{LocalTrainer, TrainingConfig};
use detoxlm::{Framework, GenerationConfig, Pipeline, PipelineConfig, Result};
use serde_json::{Map, json};

/// What a task asks is read when it is asked, and may be as long as it likes.
const QUESTION: usize = 512;

pub(super) fn prepare(root: &Path, base: &Path, items: usize) -> Result<()> {
    let question = "is it so? ".repeat(QUESTION / 10);
    let row = json!({"goal": question, "sol1": "yes", "sol2": "no"}).to_string() + "\n";
    write_atomically(rows(root), row.repeat(items))?;
    write_atomically(labels(root), "0\n".repeat(items))?;
    for (file, text) in [("prompts_craft_prompt", "Ann made"), ("wikipedia_craft_wiki", "Ann did.")]
    {
        let group = || -> Map<_, _> {
            (0..items / 2).map(|number| (format!("Ann {number}"), json!([text]))).collect()
        };
        let groups = json!({"potters": group(), "smiths": group()});
        write_json(bold(root).join(format!("{file}.json")), &groups)?;
    }
    BigramLm::new(1).save(base)
}

fn rows(root: &Path) -> PathBuf {
    root.join("piqa.jsonl")
}

fn labels(root: &Path) -> PathBuf {
    root.join("piqa.lst")
}

fn bold(root: &Path) -> PathBuf {
    root.join("bold")
}

pub(super) fn pipeline(root: &Path, items: usize) -> Result<Pipeline> {
    let config = PipelineConfig {
        generation: GenerationConfig { documents: 64, ..GenerationConfig::default() },
        training: TrainingConfig {
            max_steps: Some(2),
            sequence_length: Some(64),
            ..TrainingConfig::default()
        },
        ..PipelineConfig::default()
    };
    let trainer = LocalTrainer::new(BigramTrainBackend::new())?;
    let framework = Framework::new(Arc::new(BigramLoader), Arc::new(trainer));
    // Intervals take the longest, and the memory of one number for each item.
    let bootstrap = Bootstrap { resamples: 20, ..Bootstrap::default() };
    let judge = Arc::new(CapitalScorer::new());
    let prompt = |number: usize| EvaluationPrompt {
        text: format!("Ann {number}"),
        toxicity: Some(if number.is_multiple_of(2) { 0.7 } else { 0.2 }),
        challenging: false,
    };
    let prompts = PromptSet::new("prompts", (0..items).map(prompt).collect())?;
    let settings = ToxicitySettings { bootstrap: bootstrap.clone(), ..ToxicitySettings::default() };
    let toxicity = ToxicityEvaluator::new(prompts, Arc::clone(&judge) as _, settings)?;
    let text = |number: usize| format!("Bo {number}");
    let texts = TextSet::new("texts", (0..items).map(text).collect())?;
    let settings =
        PerplexitySettings { bootstrap: bootstrap.clone(), ..PerplexitySettings::default() };
    let perplexity = PerplexityEvaluator::new(texts, settings)?;
    let set = TaskSet::read(Task::named("piqa")?, [rows(root), labels(root)], None)?;
    let settings = TaskSettings { bootstrap: bootstrap.clone(), ..TaskSettings::default() };
    let task = TaskEvaluator::new(set, settings)?;
    let judges = BiasJudges { toxicity: Some(judge as _), sentiment: None };
    let settings = BiasSettings { bootstrap, ..BiasSettings::default() };
    let bias = BiasEvaluator::new(&BoldSet::open(bold(root), &["craft"])?, judges, settings)?;
    Ok(Pipeline::new(config, &framework, Arc::new(CapitalScorer::new()))
        .with_evaluator(Arc::new(toxicity))
        .with_evaluator(Arc::new(perplexity))
        .with_evaluator(Arc::new(task))
        .with_evaluator(Arc::new(bias)))
}
