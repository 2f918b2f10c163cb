use std::path::Path;
use std::sync::Arc;

use detoxlm_candle::{CandleLoader, CandleOptions, CandleTrainBackend, convert_llama2c};
use detoxlm_core::prompts::PromptStrategy;
use detoxlm_core::training::{LocalTrainer, TrainingConfig};
use detoxlm_core::{Framework, GenerationConfig, Pipeline, PipelineConfig, Result, Sampling};
use detoxlm_onnx::OnnxScorer;

use super::{held_out, with_evaluators, write_held_out};
use crate::fixture;

pub(super) fn prepare(root: &Path, base: &Path) -> Result<()> {
    let source = fixture("models/stories260K");
    convert_llama2c(&source.join("stories260K.bin"), &source.join("tok512.bin"), base)?;
    write_held_out(root)
}

pub(super) fn pipeline(root: &Path) -> Result<Pipeline> {
    let config = PipelineConfig {
        prompts: PromptStrategy::Augmented { documents: 16, keep_fraction: 0.5 },
        generation: GenerationConfig {
            documents: 48,
            unit: 8,
            sampling: Sampling::default().with_max_new_tokens(40),
        },
        training: TrainingConfig {
            max_steps: Some(12),
            sequence_length: Some(64),
            batch_size: 2,
            accumulation: 2,
            checkpoint_every: 3,
            validate_every: 6,
            ..TrainingConfig::default()
        },
        validation: vec![held_out(root)],
        ..PipelineConfig::default()
    };
    let options = CandleOptions::default().with_threads(2);
    let framework = Framework {
        loader: Arc::new(CandleLoader::new(options)?),
        trainer: Arc::new(LocalTrainer::new(CandleTrainBackend::new(options))?),
    };
    let scorer = Arc::new(OnnxScorer::open(fixture("classifier/bag"))?);
    let judge = Arc::new(OnnxScorer::open(fixture("classifier/encoder"))?);
    with_evaluators(Pipeline::new(config, &framework, scorer), root, judge)
}
