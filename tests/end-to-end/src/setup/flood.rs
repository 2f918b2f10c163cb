use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use detoxlm::testing::{BigramLm, BigramTrainBackend, CapitalScorer};
use detoxlm::training::{LocalTrainer, TrainingConfig};
use detoxlm::{
    Digest, FinishReason, Framework, Generation, GenerationConfig, GenerationRequest, Generator,
    GeneratorCapabilities, Info, LoadOptions, ModelLoader, Pipeline, PipelineConfig, Result,
    Subject,
};

/// Bytes of a document: enough that keeping them all would be seen.
const DOCUMENT: usize = 1024;

pub(super) fn prepare(base: &Path) -> Result<()> {
    BigramLm::new(1).save(base)
}

pub(super) fn pipeline(documents: u64) -> Result<Pipeline> {
    let config = PipelineConfig {
        generation: GenerationConfig { documents, ..GenerationConfig::default() },
        training: TrainingConfig {
            max_steps: Some(20),
            sequence_length: Some(64),
            checkpoint_every: 10,
            ..TrainingConfig::default()
        },
        ..PipelineConfig::default()
    };
    let trainer = LocalTrainer::new(BigramTrainBackend::new())?;
    let framework = Framework::new(Arc::new(FloodLoader), Arc::new(trainer));
    Ok(Pipeline::new(config, &framework, Arc::new(CapitalScorer::new())))
}

#[derive(Debug)]
struct FloodLoader;

#[async_trait]
impl ModelLoader for FloodLoader {
    async fn load(&self, _: &Path, _: &LoadOptions) -> Result<Subject> {
        let generator = Flood {
            info: Info::new("flood", "1", Digest::of("flood")),
            capabilities: GeneratorCapabilities::new().with_batch_invariance(true),
        };
        Ok(Subject { name: "flood".into(), generator: Arc::new(generator), likelihood: None })
    }
}

/// Writes a different text for every request, without a model.
#[derive(Debug)]
struct Flood {
    info: Info,
    capabilities: GeneratorCapabilities,
}

#[async_trait]
impl Generator for Flood {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &GeneratorCapabilities {
        &self.capabilities
    }

    async fn generate(&self, requests: &[GenerationRequest]) -> Result<Vec<Vec<Generation>>> {
        let one = |request: &GenerationRequest, sample: usize| {
            let capitals = request.id as usize * 7 % DOCUMENT;
            let mut text = format!("{} {sample} ", request.id);
            text.extend((text.len()..DOCUMENT).map(|at| if at < capitals { 'A' } else { 'a' }));
            Generation { tokens: text.len(), text, finish: FinishReason::Stop }
        };
        Ok(requests
            .iter()
            .map(|request| (0..request.samples).map(|sample| one(request, sample)).collect())
            .collect())
    }
}
