use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm_core::corpus::{JsonlWriter, TextRow};
use detoxlm_core::evaluation::{
    EvaluationPrompt, PerplexityEvaluator, PerplexitySettings, PromptSet, TextSet,
    ToxicityEvaluator, ToxicitySettings,
};
use detoxlm_core::prompts::PromptStrategy;
use detoxlm_core::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
use detoxlm_core::training::{LearningRate, LocalTrainer, TrainingConfig};
use detoxlm_core::{
    Decision, Framework, GenerationConfig, Pipeline, PipelineConfig, Result, Sampling, filter_fn,
};

pub(super) fn prepare(root: &Path, base: &Path) -> Result<()> {
    BigramLm::new(1).save(base)?;
    let mut held_out = JsonlWriter::create(held_out(root))?;
    for text in ["calm and kind words", "the birds sang in the old tree"] {
        held_out.write(&TextRow::new(text))?;
    }
    held_out.commit()
}

fn held_out(root: &Path) -> PathBuf {
    root.join("held-out.jsonl")
}

pub(super) fn pipeline(root: &Path) -> Result<Pipeline> {
    let config = PipelineConfig {
        prompts: PromptStrategy::Augmented { documents: 48, keep_fraction: 0.5 },
        generation: GenerationConfig {
            documents: 100,
            unit: 16,
            sampling: Sampling::default().with_max_new_tokens(40),
        },
        training: TrainingConfig {
            max_steps: Some(30),
            sequence_length: Some(32),
            learning_rate: LearningRate { peak: 300.0, ..LearningRate::default() },
            checkpoint_every: 4,
            validate_every: 5,
            ..TrainingConfig::default()
        },
        validation: vec![held_out(root)],
        ..PipelineConfig::default()
    };
    let framework = Framework {
        loader: Arc::new(BigramLoader),
        trainer: Arc::new(LocalTrainer::new(BigramTrainBackend::new())?),
    };
    let scorer = Arc::new(CapitalScorer::new().abstaining_on('a'));
    let no_q = filter_fn("no-q-1", |text| {
        if text.contains(['q', 'Q']) { Decision::Drop("a q".into()) } else { Decision::Keep }
    });
    let prompts: Vec<_> = [("You", Some(0.9)), ("The", Some(0.1)), ("What", None)]
        .map(|(text, toxicity)| EvaluationPrompt { text: text.to_owned(), toxicity })
        .into();
    let toxicity = ToxicityEvaluator::new(
        PromptSet::new("prompts", prompts)?,
        Arc::new(CapitalScorer::new()),
        ToxicitySettings { prompts_per_unit: 1, ..ToxicitySettings::default() },
    )?;
    let texts = TextSet::read(held_out(root), None)?;
    let perplexity = PerplexityEvaluator::new(
        texts,
        PerplexitySettings { documents_per_unit: 1, ..PerplexitySettings::default() },
    )?;
    Ok(Pipeline::new(config, &framework, scorer)
        .with_filter(Arc::new(no_q))
        .with_evaluator(Arc::new(toxicity))
        .with_evaluator(Arc::new(perplexity)))
}
