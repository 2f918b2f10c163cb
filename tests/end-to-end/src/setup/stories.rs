use std::path::Path;

use detoxlm::candle::convert_llama2c;
use detoxlm::prompts::PromptStrategy;
use detoxlm::training::TrainingConfig;
use detoxlm::{GenerationConfig, Pipeline, PipelineConfig, Result, Sampling};

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
    let registry = detoxlm::registry();
    let scorer = |name| registry.scorer(&format!("onnx:{}", fixture(name).display()));
    let framework = registry.framework("candle")?;
    let pipeline = Pipeline::new(config, &framework, scorer("classifier/bag")?);
    with_evaluators(pipeline, root, scorer("classifier/encoder")?)
}
