use std::path::Path;
use std::sync::Arc;

use detoxlm::prompts::PromptStrategy;
use detoxlm::testing::{BigramLm, BigramLoader, BigramTrainBackend, CapitalScorer};
use detoxlm::training::{LearningRate, LocalTrainer, TrainingConfig};
use detoxlm::{
    Decision, Framework, GenerationConfig, Pipeline, PipelineConfig, Result, Sampling, filter_fn,
};

use super::{held_out, with_evaluators, write_held_out};

pub(super) fn prepare(root: &Path, base: &Path) -> Result<()> {
    BigramLm::new(1).save(base)?;
    write_held_out(root)
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
    let trainer = LocalTrainer::new(BigramTrainBackend::new())?;
    let framework = Framework::new(Arc::new(BigramLoader), Arc::new(trainer));
    let scorer = Arc::new(CapitalScorer::new().abstaining_on('a'));
    let no_q = filter_fn("no-q-1", |text| {
        if text.contains(['q', 'Q']) { Decision::Drop("a q".into()) } else { Decision::Keep }
    });
    let pipeline = Pipeline::new(config, &framework, scorer).with_filter(Arc::new(no_q));
    with_evaluators(pipeline, root, Arc::new(CapitalScorer::new()))
}
