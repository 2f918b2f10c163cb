//! A pipeline with a scorer of one's own: the share of capital letters, for want of a real one.

use std::path::Path;
use std::sync::Arc;

use detoxlm::{Attribute, GenerationConfig, Pipeline, PipelineConfig, Sampling, scorer_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(run)) = (arguments.next(), arguments.next()) else {
        return Err("usage: own_scorer MODEL_DIRECTORY RUN_DIRECTORY".into());
    };
    let shouting = scorer_fn("shouting-1", Attribute::TOXICITY, |text| {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let capitals = text.chars().filter(|c| c.is_uppercase()).count();
        (letters > 0).then(|| capitals as f32 / letters as f32)
    });
    let generation = GenerationConfig {
        documents: 100,
        sampling: Sampling::self_generation().with_max_new_tokens(100),
        ..GenerationConfig::default()
    };
    let config = PipelineConfig { generation, ..PipelineConfig::default() };
    let registry = detoxlm::registry()?;
    let pipeline = Pipeline::new(config, registry.framework("candle")?, Arc::new(shouting));
    let summary = pipeline.run(Path::new(&model), Path::new(&run)).await?;
    println!("kept {} documents up to {}", summary.selection.kept, summary.selection.cut);
    Ok(())
}
