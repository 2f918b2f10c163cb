//! The core's fakes, and the core's own implementations over them.

use std::path::Path;
use std::sync::Arc;

use detoxlm_conformance as conformance;
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::evaluation::{
    EvaluationPrompt, FluencyEvaluator, FluencySettings, PerplexityEvaluator, PerplexitySettings,
    PromptSet, Task, TaskEvaluator, TaskSet, TaskSettings, TextSet, ToxicityEvaluator,
    ToxicitySettings,
};
use detoxlm_core::testing::{
    BigramLm, BigramLoader, BigramTrainBackend, ByteTokenizer, CapitalScorer,
};
use detoxlm_core::training::{LocalTrainer, Method};
use detoxlm_core::{
    Attribute, Decision, LoadOptions, LocalGenerator, LocalLikelihood, ModelLoader, Subject,
    filter_fn, scorer_fn,
};

use crate::history_lm::HistoryLm;

#[tokio::test]
async fn scorers() {
    conformance::scorer(&CapitalScorer::new()).await.unwrap();
    conformance::scorer(&CapitalScorer::new().abstaining_on('Y')).await.unwrap();
    let lengths = scorer_fn("length-1", Attribute::INSULT, |text| {
        (text.len() > 1).then(|| 1.0 / text.len() as f32)
    });
    conformance::scorer(&lengths).await.unwrap();
    let texts = ["You", "Two"].map(str::to_owned);
    let (one, other) = (CapitalScorer::new(), CapitalScorer::new().abstaining_on('Y'));
    conformance::scorers_are_told_apart(&one, &other, &texts).await.unwrap();
}

#[tokio::test]
async fn filters() {
    let short = filter_fn("short-1", |text| {
        if text.len() < 20 { Decision::Drop("short".into()) } else { Decision::Keep }
    });
    conformance::filter(&short).await.unwrap();
}

#[test]
fn tokenizers() {
    conformance::tokenizer(&ByteTokenizer).unwrap();
}

#[test]
fn models() {
    conformance::causal_lm(&BigramLm::new(1)).unwrap();
    conformance::causal_lm(&HistoryLm::new()).unwrap();
    conformance::causal_lm(&HistoryLm::new().with_batch_invariance(false)).unwrap();
}

#[tokio::test]
async fn generators() {
    for rows in [1, 5, 64] {
        for model in [Arc::new(BigramLm::new(1)) as Arc<dyn CausalLm>, Arc::new(HistoryLm::new())] {
            let generator = LocalGenerator::new(model).unwrap().with_rows(rows);
            conformance::generator(&generator).await.unwrap();
        }
    }
}

#[tokio::test]
async fn likelihoods() {
    for model in [Arc::new(BigramLm::new(1)) as Arc<dyn CausalLm>, Arc::new(HistoryLm::new())] {
        conformance::likelihood(&LocalLikelihood::new(model).unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn model_loaders() {
    let root = tempfile::tempdir().unwrap();
    let model = root.path().join("base");
    BigramLm::new(1).save(&model).unwrap();
    conformance::model_loader(&BigramLoader, &model, &root.path().join("work")).await.unwrap();
}

#[tokio::test]
async fn trainers() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().join("base");
    BigramLm::new(1).save(&base).unwrap();
    let trainer = LocalTrainer::new(BigramTrainBackend::new()).unwrap();
    let work = root.path().join("work");
    conformance::trainer(&trainer, &Method::Full {}, &base, &work).await.unwrap();
}

pub(crate) async fn subject(directory: &Path) -> Subject {
    BigramLm::new(1).save(directory).unwrap();
    BigramLoader.load(directory, &LoadOptions::default()).await.unwrap()
}

#[tokio::test]
async fn evaluators() {
    let root = tempfile::tempdir().unwrap();
    let subject = subject(&root.path().join("base")).await;
    let texts = ["Once upon a time", "there was a little girl"].map(str::to_owned);
    let texts = TextSet::new("texts", texts.to_vec()).unwrap();
    let perplexity = PerplexityEvaluator::new(texts, PerplexitySettings::default()).unwrap();
    conformance::evaluator(&perplexity, &subject, &root.path().join("ppl")).await.unwrap();
    let rows = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/tasks/piqa.jsonl"));
    let files = [rows.to_path_buf(), rows.with_file_name("piqa-labels.lst")];
    let set = TaskSet::read(Task::named("piqa").unwrap(), files, None).unwrap();
    let task = TaskEvaluator::new(set, TaskSettings::default()).unwrap();
    conformance::evaluator(&task, &subject, &root.path().join("task")).await.unwrap();

    let prompts =
        [("Hello", Some(0.1)), ("You", Some(0.9)), ("What", None)].map(|(text, toxicity)| {
            EvaluationPrompt { text: text.to_owned(), toxicity, challenging: false }
        });
    let prompts = PromptSet::new("prompts", prompts.to_vec()).unwrap();
    // Texts that begin with an a are unscored, so that some is missing and some is not.
    let scorer = Arc::new(CapitalScorer::new().abstaining_on('a'));
    let toxicity =
        ToxicityEvaluator::new(prompts.clone(), scorer, ToxicitySettings::default()).unwrap();
    conformance::evaluator(&toxicity, &subject, &root.path().join("rtp")).await.unwrap();

    let rater = subject.likelihood.clone().unwrap();
    let fluency = FluencyEvaluator::new(prompts, rater, FluencySettings::default()).unwrap();
    conformance::evaluator(&fluency, &subject, &root.path().join("fluency")).await.unwrap();
}
