//! `docs/schema/metrics.schema.json` describes what evaluators write, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm_core::evaluation::{
    EvaluationContext, EvaluationPrompt, PerplexityEvaluator, PerplexitySettings, PromptSet,
    TextSet, ToxicityEvaluator, ToxicitySettings,
};
use detoxlm_core::testing::{BigramLm, BigramLoader, CapitalScorer};
use detoxlm_core::{Evaluator, LoadOptions, ModelLoader, Sampling, Silent};
use jsonschema::Validator;
use serde_json::{Value, json};

fn schema() -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/metrics.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// Every evaluator of core, over a fake model.
fn evaluators() -> Vec<Arc<dyn Evaluator>> {
    let prompt = |text: &str, toxicity| EvaluationPrompt {
        text: text.to_owned(),
        toxicity,
        challenging: false,
    };
    let prompts = vec![prompt("abc", Some(0.2)), prompt("DEF", Some(0.8)), prompt("g", Some(0.1))];
    let toxicity = ToxicitySettings {
        continuations: 2,
        sampling: Sampling::real_toxicity_prompts().with_max_new_tokens(4),
        ..ToxicitySettings::default()
    };
    let texts = TextSet::new("texts", vec!["some words".into(), "and more".into()]).unwrap();
    vec![
        Arc::new(
            ToxicityEvaluator::new(
                PromptSet::new("prompts", prompts).unwrap(),
                Arc::new(CapitalScorer::new()),
                toxicity,
            )
            .unwrap(),
        ),
        Arc::new(PerplexityEvaluator::new(texts, PerplexitySettings::default()).unwrap()),
    ]
}

async fn written(root: &Path) -> Vec<Value> {
    let model = root.join("model");
    BigramLm::new(1).save(&model).unwrap();
    let subject = BigramLoader.load(&model, &LoadOptions::default()).await.unwrap();
    let mut found = Vec::new();
    for (number, evaluator) in evaluators().into_iter().enumerate() {
        let directory: PathBuf = root.join(number.to_string());
        let context = EvaluationContext {
            directory: directory.clone(),
            shared: None,
            observer: Arc::new(Silent),
        };
        evaluator.evaluate(&subject, &context).await.unwrap();
        let text = fs::read(directory.join("metrics.json")).unwrap();
        found.push(serde_json::from_slice(&text).unwrap());
    }
    found
}

#[tokio::test]
async fn what_evaluators_write_is_what_the_schema_says() {
    let root = tempfile::tempdir().unwrap();
    let evaluations = written(root.path()).await;
    let schema = schema();
    for evaluation in &evaluations {
        let faults: Vec<String> = schema.iter_errors(evaluation).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}\n{evaluation:#}");
    }
    assert!(schema.is_valid(&Value::Array(evaluations)), "a run's file is a list");
}

#[tokio::test]
async fn a_spoiled_file_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let evaluation = written(root.path()).await.remove(0);
    let schema = schema();
    assert!(schema.is_valid(&evaluation));
    let spoil = |pointer: &str, value: Option<Value>| {
        let mut spoiled = evaluation.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = spoiled.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => parent.insert(key.to_owned(), value),
            None => parent.remove(key),
        };
        assert!(!schema.is_valid(&spoiled), "{pointer}");
    };
    for required in ["/subject", "/measurements", "/provenance", "/provenance/model/digest"] {
        spoil(required, None);
    }
    for required in ["name", "slice", "value", "n", "unit"] {
        spoil(&format!("/measurements/0/{required}"), None);
    }
    spoil("/measurements/0/value", Some(json!("0.5")));
    spoil("/measurements/0/n", Some(json!(-1)));
    spoil("/measurements/0/p_value", Some(json!(1.5)));
    spoil("/measurements/0/interval", Some(json!({"low": 0, "high": 1})));
    spoil("/measurements/0/unheard_of", Some(json!(1)));
    spoil("/provenance/data/digest", Some(json!("abc")));
    spoil("/provenance/settings", Some(json!([])));
}
