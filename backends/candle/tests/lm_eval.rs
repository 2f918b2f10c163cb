//! Tasks and rolling perplexity are what lm-evaluation-harness makes of the same models and items
//! (`tests/fixtures/make_lm_eval.py`).

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::open;
use detoxlm_candle::CandleLm;
use detoxlm_core::causal_lm::{CausalLm, ContinuationLikelihood};
use detoxlm_core::evaluation::{
    EvaluationContext, Evaluator, PerplexityEvaluator, PerplexitySettings, Task, TaskEvaluator,
    TaskSet, TaskSettings, TextSet,
};
use detoxlm_core::{Evaluation, LocalGenerator, LocalLikelihood, Silent, Subject};
use detoxlm_test_models::fixture;
use serde::Deserialize;
use serde_json::Value;

/// Between two implementations of the same sums in f32.
const TOLERANCE: f64 = 1e-3;
/// The harness adds the log-probabilities of a window in f32, which has a relative error of its own.
const RELATIVE: f64 = 1e-6;

#[derive(Deserialize)]
struct Expected {
    tasks: BTreeMap<String, ExpectedTask>,
    rolling: ExpectedRolling,
}

#[derive(Deserialize)]
struct ExpectedTask {
    files: Vec<String>,
    version: String,
    metrics: BTreeMap<String, Value>,
    /// Of every item and choice: the log-probability, and whether it is greedy.
    samples: Vec<Vec<(f64, bool)>>,
}

#[derive(Deserialize)]
struct ExpectedRolling {
    metrics: BTreeMap<String, Value>,
    log_probs: Vec<f64>,
}

fn tasks() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tasks")).to_path_buf()
}

fn expected() -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(tasks().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A model of `tests/fixtures/models`; the guard holds one that is converted first.
fn model(name: &str) -> (Arc<dyn CausalLm>, Option<tempfile::TempDir>) {
    if name != "stories260K" {
        return (Arc::new(open(&fixture(name))), None);
    }
    let root = tempfile::tempdir().unwrap();
    let (directory, source) = (root.path().join(name), fixture(name));
    let files = [source.join("stories260K.bin"), source.join("tok512.bin")];
    detoxlm_candle::convert_llama2c(&files[0], &files[1], &directory).unwrap();
    let model: CandleLm = open(&directory);
    (Arc::new(model), Some(root))
}

fn subject(model: &Arc<dyn CausalLm>) -> Subject {
    Subject {
        name: "fixture".to_owned(),
        generator: Arc::new(LocalGenerator::new(Arc::clone(model)).unwrap()),
        likelihood: Some(Arc::new(LocalLikelihood::new(Arc::clone(model)).unwrap())),
    }
}

async fn evaluate(evaluator: &dyn Evaluator, subject: &Subject) -> Evaluation {
    let directory = tempfile::tempdir().unwrap();
    let context = EvaluationContext {
        directory: directory.path().to_path_buf(),
        shared: None,
        observer: Arc::new(Silent),
    };
    evaluator.evaluate(subject, &context).await.unwrap()
}

fn assert_near(own: f64, expected: f64, what: &str) {
    let slack = TOLERANCE + RELATIVE * expected.abs();
    assert!((own - expected).abs() <= slack, "{what}: {own}, harness {expected}");
}

#[tokio::test]
async fn tasks_are_those_of_the_harness() {
    for (name, expected) in expected() {
        let (model, _guard) = model(&name);
        let subject = subject(&model);
        assert!(expected.tasks.len() >= 9);
        let mut cut = 0.0;
        for (task, expected) in expected.tasks {
            let what = format!("{name}, {task}");
            let task = Task::named(&task).unwrap();
            assert_eq!(task.info().version, expected.version, "{what}");
            let files = expected.files.iter().map(|file| tasks().join(file));
            let set = TaskSet::read(task, files, None).unwrap();

            let items: Vec<_> = set.items().unwrap().map(Result::unwrap).collect();
            let questions: Vec<_> =
                items.iter().flat_map(|item| item.questions.iter().cloned()).collect();
            let answers: Vec<ContinuationLikelihood> =
                subject.likelihood.as_ref().unwrap().continuation(&questions).await.unwrap();
            let samples: Vec<_> = expected.samples.iter().flatten().collect();
            assert_eq!(answers.len(), samples.len(), "{what}");
            for ((answer, (log_prob, is_greedy)), question) in
                answers.iter().zip(samples).zip(&questions)
            {
                assert_near(answer.log_prob, *log_prob, &format!("{what}: {question:?}"));
                assert_eq!(answer.is_greedy, *is_greedy, "{what}: {question:?}");
            }

            let settings = TaskSettings { items_per_unit: 3, ..TaskSettings::default() };
            let evaluator = TaskEvaluator::new(set, settings).unwrap();
            let evaluation = evaluate(&evaluator, &subject).await;
            for (metric, expected) in &expected.metrics {
                let expected = expected.as_f64().unwrap();
                let Some(metric) = metric.strip_suffix("_stderr") else {
                    let own = evaluation.get(metric, "all").unwrap().value.unwrap();
                    match metric.as_str() {
                        "perplexity" => assert_near((own / expected).ln(), 0.0, &what),
                        _ => assert_eq!(own, expected, "{what}: {metric}"),
                    }
                    continue;
                };
                // The harness draws resamples for that of a perplexity.
                if metric != "perplexity" {
                    let own = evaluation.get(metric, "all").unwrap().standard_error.unwrap();
                    assert!((own - expected).abs() < 1e-12, "{what}: {own}, {expected}");
                }
            }
            cut += evaluation.get("cut_context_rate", "all").unwrap().value.unwrap();
        }
        // Some contexts are longer than these small models', or nothing was seen of how they are cut.
        assert!(cut > 0.0 || name == "stories260K", "{name}");
    }
}

#[tokio::test]
async fn rolling_perplexity_is_that_of_the_harness() {
    for (name, expected) in expected() {
        let (model, _guard) = model(&name);
        let subject = subject(&model);
        let texts = TextSet::read(tasks().join("texts.jsonl"), None).unwrap();
        let longest =
            texts.texts().iter().map(|text| model.tokenizer().encode(text).unwrap().len());
        assert!(longest.max().unwrap() > 2 * model.capabilities().context_length, "{name}");
        let likelihood = subject.likelihood.as_ref().unwrap();
        let rated = likelihood.rolling(texts.texts()).await.unwrap();
        for (rated, expected) in rated.iter().zip(&expected.rolling.log_probs) {
            assert_near(rated.log_prob, *expected, &name);
        }
        let evaluator = PerplexityEvaluator::new(texts, PerplexitySettings::default()).unwrap();
        let evaluation = evaluate(&evaluator, &subject).await;
        for metric in ["word_perplexity", "byte_perplexity", "bits_per_byte"] {
            let own = evaluation.get(metric, "all").unwrap().value.unwrap();
            let expected = expected.rolling.metrics[metric].as_f64().unwrap();
            assert!((own / expected).ln().abs() < 1e-4, "{name}, {metric}: {own}, {expected}");
        }
    }
}
