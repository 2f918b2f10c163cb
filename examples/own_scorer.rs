//! A pipeline with a scorer of one's own: the embedded model learns to shout less.

use std::{path::Path, sync::Arc};

use detoxlm::{Attribute, Pipeline, PipelineConfig, Sampling, defaults, scorer_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> detoxlm::Result<()> {
    let shouting = scorer_fn("shouting-1", Attribute::TOXICITY, |text| {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let capitals = text.chars().filter(|c| c.is_uppercase()).count();
        (letters > 0).then(|| capitals as f32 / letters as f32)
    });
    let (model, run) = (Path::new("runs/own_scorer/base"), Path::new("runs/own_scorer/run"));
    if !model.exists() {
        defaults::write_model(model)?;
    }
    let mut config = PipelineConfig::default();
    config.generation.sampling = Sampling::self_generation().with_max_new_tokens(100);
    let registry = detoxlm::registry();
    let framework = registry.framework("candle")?;
    let pipeline = Pipeline::new(config, &framework, Arc::new(shouting));
    let summary = pipeline.run(model, run).await?;
    println!("{} quiet texts made {}", summary.selection.kept, summary.training.model.display());
    Ok(())
}
