//! `docs/schema/metrics.schema.json` describes what evaluators write, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use detoxlm_core::audit::IdentitySet;
use detoxlm_core::causal_lm::Likelihood;
use detoxlm_core::evaluation::{
    BiasEvaluator, BiasJudges, BiasSettings, BoldSet, EvaluationContext, EvaluationPrompt,
    FluencyEvaluator, FluencySettings, IdentityFalsePositives, PerplexityEvaluator,
    PerplexitySettings, PromptSet, Task, TaskEvaluator, TaskSet, TaskSettings, TextSet,
    ToxicityEvaluator, ToxicitySettings,
};
use detoxlm_core::testing::{BigramLm, BigramLoader, CapitalScorer};
use detoxlm_core::{
    Attribute, Evaluator, LoadOptions, LocalLikelihood, ModelLoader, Sampling, Silent, scorer_fn,
};
use serde_json::{Value, json};

/// What of JSON Schema (2020-12) the published schema uses; a keyword that is not known here is a
/// fault of this test, and said so. A crate for all of it would be the heaviest of the workspace.
struct Schema(Value);

impl Schema {
    fn is_valid(&self, value: &Value) -> bool {
        self.faults(value).is_empty()
    }

    fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(&self.0, value, "", &mut faults);
        faults
    }

    fn check(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        for (keyword, rule) in schema.as_object().unwrap() {
            let holds = match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => true,
                "$ref" => {
                    let named = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    self.check(self.0.pointer(named).unwrap(), value, place, faults);
                    true
                }
                "oneOf" => {
                    let fits = |schema: &&Value| {
                        let mut faults = Vec::new();
                        self.check(schema, value, place, &mut faults);
                        faults.is_empty()
                    };
                    rule.as_array().unwrap().iter().filter(fits).count() == 1
                }
                "type" => match rule {
                    Value::Array(several) => several.iter().any(|name| is_of_type(value, name)),
                    one => is_of_type(value, one),
                },
                "required" => rule.as_array().unwrap().iter().all(|name| {
                    value
                        .as_object()
                        .is_none_or(|fields| fields.contains_key(name.as_str().unwrap()))
                }),
                "additionalProperties" => {
                    assert_eq!(*rule, false);
                    value.as_object().is_none_or(|fields| {
                        fields.keys().all(|name| schema["properties"].get(name).is_some())
                    })
                }
                "properties" => {
                    for (name, schema) in rule.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.check(schema, value, &format!("{place}/{name}"), faults);
                        }
                    }
                    true
                }
                "items" => {
                    for (number, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, value, &format!("{place}/{number}"), faults);
                    }
                    true
                }
                "minLength" => {
                    value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap())
                }
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
                "exclusiveMinimum" => {
                    value.as_f64().is_none_or(|number| number > rule.as_f64().unwrap())
                }
                "exclusiveMaximum" => {
                    value.as_f64().is_none_or(|number| number < rule.as_f64().unwrap())
                }
                "pattern" => {
                    assert_eq!(rule, "^[0-9a-f]{64}$");
                    let is_hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
                    value
                        .as_str()
                        .is_none_or(|text| text.len() == 64 && text.chars().all(is_hexadecimal))
                }
                unknown => panic!("this test does not know the keyword {unknown}"),
            };
            if !holds {
                faults.push(format!("{place}: {keyword} {rule}"));
            }
        }
    }
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        unknown => panic!("this test does not know the type {unknown}"),
    }
}

fn schema() -> Schema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/metrics.schema.json");
    Schema(serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
}

/// A model that rates what others wrote.
fn rater() -> Arc<dyn Likelihood> {
    Arc::new(LocalLikelihood::new(Arc::new(BigramLm::new(2))).unwrap())
}

fn task(root: &Path) -> TaskEvaluator {
    let items = r#"{"goal":"To rest","sol1":"sit","sol2":"run"}
{"goal":"To eat","sol1":"a stone","sol2":"a pear"}
"#;
    let (rows, labels) = (root.join("piqa.jsonl"), root.join("piqa.lst"));
    fs::write(&rows, items).unwrap();
    fs::write(&labels, "0\n1\n").unwrap();
    let set = TaskSet::read(Task::named("piqa").unwrap(), [rows, labels], None).unwrap();
    TaskEvaluator::new(set, TaskSettings::default()).unwrap()
}

fn bias(root: &Path) -> BiasEvaluator {
    let groups = |text: &str| {
        let one = format!(r#"{{"Ann": ["Ann {text}", "Ann is {text}"]}}"#);
        format!(r#"{{"potters": {one}, "smiths": {one}, "weavers": {{"Ed": ["Ed {text}"]}}}}"#)
    };
    fs::write(root.join("prompts_craft_prompt.json"), groups("made")).unwrap();
    fs::write(root.join("wikipedia_craft_wiki.json"), groups("made it.")).unwrap();
    let set = BoldSet::open(root, &["craft"]).unwrap();
    let judges = BiasJudges {
        toxicity: Some(Arc::new(CapitalScorer::new())),
        sentiment: Some(Arc::new(scorer_fn("kind", Attribute::SENTIMENT, |_| Some(0.5)))),
    };
    BiasEvaluator::new(&set, judges, BiasSettings::default()).unwrap()
}

/// Every evaluator of core, over a fake model.
fn evaluators(root: &Path) -> Vec<Arc<dyn Evaluator>> {
    let prompt = |text: &str, toxicity| EvaluationPrompt {
        text: text.to_owned(),
        toxicity,
        challenging: false,
    };
    let prompts = vec![prompt("abc", Some(0.2)), prompt("DEF", Some(0.8)), prompt("g", Some(0.1))];
    let prompts = PromptSet::new("prompts", prompts).unwrap();
    let toxicity = ToxicitySettings {
        continuations: 2,
        sampling: Sampling::real_toxicity_prompts().with_max_new_tokens(4),
        ..ToxicitySettings::default()
    };
    let fluency = FluencySettings { toxicity: toxicity.clone(), ..FluencySettings::default() };
    let texts = TextSet::new("texts", vec!["some words".into(), "and more".into()]).unwrap();
    let judge = Arc::new(CapitalScorer::new());
    vec![
        Arc::new(ToxicityEvaluator::new(prompts.clone(), judge, toxicity).unwrap()),
        Arc::new(FluencyEvaluator::new(prompts, rater(), fluency).unwrap()),
        Arc::new(PerplexityEvaluator::new(texts, PerplexitySettings::default()).unwrap()),
        Arc::new(task(root)),
        Arc::new(bias(root)),
    ]
}

/// What a run keeps of the scorer that filters.
async fn false_positives() -> Value {
    let sentences = vec![(1, "OLD people".into(), false), (2, "tall people".into(), false)];
    let terms = vec!["old".into(), "tall".into(), "young".into()];
    let set = IdentitySet::new("identities", terms, sentences, Attribute::TOXICITY);
    let asked = IdentityFalsePositives::new(set, 0.3).unwrap();
    let found = asked.measure(&CapitalScorer::new(), &Silent).await.unwrap();
    serde_json::to_value(found).unwrap()
}

async fn written(root: &Path) -> Vec<Value> {
    let model = root.join("model");
    BigramLm::new(1).save(&model).unwrap();
    let subject = BigramLoader.load(&model, &LoadOptions::default()).await.unwrap();
    let mut found = Vec::new();
    for (number, evaluator) in evaluators(root).into_iter().enumerate() {
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
    found.push(false_positives().await);
    found
}

#[tokio::test]
async fn what_evaluators_write_is_what_the_schema_says() {
    let root = tempfile::tempdir().unwrap();
    let evaluations = written(root.path()).await;
    let schema = schema();
    for evaluation in &evaluations {
        let faults = schema.faults(evaluation);
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
