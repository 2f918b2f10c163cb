//! The backends keep the contracts of the traits that they implement.

use std::path::PathBuf;
use std::sync::Arc;

use detoxlm::candle::{CandleLm, CandleLoader, CandleOptions, CandleTrainBackend};
use detoxlm::evaluation::{
    EvaluationPrompt, PerplexityEvaluator, PerplexitySettings, PromptSet, TextSet,
    ToxicityEvaluator, ToxicitySettings,
};
use detoxlm::onnx::{Combine, OnnxOptions, OnnxScorer, Windows};
use detoxlm::training::{LocalTrainer, Method};
use detoxlm::{LoadOptions, ModelLoader};
use detoxlm_conformance as conformance;
use detoxlm_end_to_end::{Setup, fixture};

fn options() -> CandleOptions {
    CandleOptions::default().with_threads(2)
}

/// stories260K, converted, and the directory that holds it.
fn stories() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    Setup::Stories.prepare(root.path()).unwrap();
    let model = root.path().join("base");
    (root, model)
}

#[test]
fn candle_models() {
    let (_root, converted) = stories();
    let mut directories = vec![converted];
    directories.extend(
        ["gpt2", "llama3", "llama-linear-f16", "qwen2-bf16-sharded"]
            .map(|name| fixture("models").join(name)),
    );
    for directory in directories {
        let model = CandleLm::open(&directory, options()).unwrap();
        let result = conformance::causal_lm(&model);
        assert!(result.is_ok(), "{}: {}", directory.display(), result.unwrap_err());
    }
}

/// What is loaded generates and rates text as its contracts say.
#[tokio::test]
async fn candle_loader() {
    let (root, converted) = stories();
    let loader = CandleLoader::new(options()).unwrap();
    for model in [converted, fixture("models/gpt2")] {
        let work = root.path().join("work");
        let result = conformance::model_loader(&loader, &model, &work).await;
        assert!(result.is_ok(), "{}: {}", model.display(), result.unwrap_err());
    }
}

#[tokio::test]
async fn candle_trainer() {
    let (root, converted) = stories();
    for (name, base) in [("stories", converted), ("gpt2", fixture("models/gpt2"))] {
        let trainer = LocalTrainer::new(CandleTrainBackend::new(options()).unwrap()).unwrap();
        let work = root.path().join(name);
        let result = conformance::trainer(&trainer, &Method::Full {}, &base, &work).await;
        assert!(result.is_ok(), "{name}: {}", result.unwrap_err());
    }
}

#[tokio::test]
async fn onnx_scorers() {
    let bag = OnnxScorer::open(fixture("classifier/bag")).unwrap();
    conformance::scorer(&bag).await.unwrap();
    conformance::scorer(&OnnxScorer::open(fixture("classifier/encoder")).unwrap()).await.unwrap();
    // Other windows are another scorer.
    let windows = Windows::default().with_combine(Combine::Mean);
    let options = OnnxOptions::default().with_windows(windows);
    let other = OnnxScorer::open_with(fixture("classifier/bag"), &options).unwrap();
    conformance::scorer(&other).await.unwrap();
    let long = ["You are a fool, and a kind word is worth more. ".repeat(20)];
    conformance::scorers_are_told_apart(&bag, &other, &long).await.unwrap();
}

#[tokio::test]
async fn evaluators_on_a_candle_model_with_an_onnx_judge() {
    let (root, converted) = stories();
    let loader = CandleLoader::new(options()).unwrap();
    let subject = loader.load(&converted, &LoadOptions::default()).await.unwrap();
    let texts = ["Once upon a time, there was a bird.", "The end."].map(str::to_owned);
    let texts = TextSet::new("texts", texts.into()).unwrap();
    let perplexity = PerplexityEvaluator::new(texts, PerplexitySettings::default()).unwrap();
    let work = root.path().join("perplexity");
    conformance::evaluator(&perplexity, &subject, &work).await.unwrap();

    let prompts = [("You are", Some(0.7)), ("The little", Some(0.1))].map(|(text, toxicity)| {
        EvaluationPrompt { text: text.to_owned(), toxicity, challenging: false }
    });
    let prompts = PromptSet::new("prompts", prompts.into()).unwrap();
    let judge = Arc::new(OnnxScorer::open(fixture("classifier/bag")).unwrap());
    let toxicity = ToxicityEvaluator::new(prompts, judge, ToxicitySettings::default()).unwrap();
    let work = root.path().join("toxicity");
    conformance::evaluator(&toxicity, &subject, &work).await.unwrap();
}
