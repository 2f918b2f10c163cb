//! The sample plugins: each component is its source, keeps the contract, and does what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use detoxlm::corpus::JsonlReader;
use detoxlm::plugins::check::check;
use detoxlm::plugins::testing::{Answer, differences};
use detoxlm::plugins::{HostConfig, Judgement, Plugin, PluginHost, PluginOptions};
use detoxlm::profanity_check::ProfanityCheck;
use detoxlm::{Attribute, Sample, ToxicityScorer as _};
use detoxlm_conformance as conformance;
use detoxlm_guest::{Configured, Verdict, native};
use serde::Deserialize;
use serde_json::{Map, Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/samples")).join(name)
}

fn host() -> PluginHost {
    PluginHost::new(HostConfig::default()).unwrap()
}

fn load(name: &str, settings: Value) -> Plugin {
    let Value::Object(settings) = settings else { panic!("an object") };
    let options = PluginOptions::default().with_settings(settings);
    host().load(folder(name), options).unwrap()
}

/// Sentences with what the samples look for among what they must let pass; every one of them in three
/// disguises.
fn samples() -> Vec<Sample> {
    const PIECES: [&str; 24] = [
        "the rain kept on",
        "b1orp",
        "b l o r p",
        "BLOOORP!",
        "blórp",
        "someone@example.org",
        "+44 20 7946 0958",
        "4111 1111 1111 1111",
        "4111 1111 1111 1112",
        "GB82 WEST 1234 5698 7654 32",
        "2026-11-27",
        "v1.2.3",
        "$1,299.00",
        "na na na na na na na na na na na na",
        "----------",
        "line\nline\nline\nline",
        "idiot",
        "lovely",
        "你好",
        "\u{200b}",
        "and",
        "\n\n",
        "Scunthorpe",
        "0",
    ];
    let mut state: u64 = 11;
    let mut next = || {
        // Knuth's MMIX generator.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut samples = Vec::new();
    for _ in 0..400 {
        let words: Vec<&str> =
            (0..1 + next() % 12).map(|_| PIECES[next() % PIECES.len()]).collect();
        let text = words.join(" ");
        samples.push(Sample::new(text.to_uppercase()).with_prompt("before"));
        samples.push(Sample::new(text.replace(' ', "")));
        samples.push(Sample::new(text));
    }
    samples
}

async fn is_its_source<P, const N: usize>(name: &str, settings: Value)
where
    P: detoxlm_guest::Plugin<N> + Send + Sync,
{
    let source: Configured<P, N> = native(&settings.to_string()).unwrap();
    let plugin = load(name, settings);
    let descriptor = source.describe();
    assert_eq!(
        (plugin.info().name.as_str(), plugin.info().version.as_str()),
        (descriptor.name, descriptor.version)
    );
    let asked = |sample: &Sample| {
        let guest = detoxlm_guest::Sample::new(&sample.text).with_prompt(&sample.prompt);
        match source.score(&[guest]).unwrap().remove(0) {
            Verdict::Scores(values) => Answer::Scores(values.to_vec()),
            Verdict::Reject(why) => Answer::Reject(why),
            Verdict::Abstain(why) => Answer::Abstain(why),
        }
    };
    let different = differences(&plugin, &samples(), asked).await.unwrap();
    assert!(different.is_empty(), "{name} was not rebuilt: {:?}", different[0]);
    for finding in check(&plugin, &samples()).await.unwrap() {
        assert_eq!(finding.broken, None, "{name}: {}", finding.rule);
    }
    assert!(plugin.imports().is_empty());
}

#[tokio::test]
async fn word_list() {
    let settings = json!({"words": ["blorp"], "minimum": 1});
    is_its_source::<detoxlm_word_list::WordList, 0>("word-list", settings.clone()).await;
    let filter = load("word-list", settings).filter().unwrap();
    conformance::filter(&filter).await.unwrap();
}

#[tokio::test]
async fn personal_data() {
    is_its_source::<detoxlm_personal_data::PersonalData, 0>("personal-data", json!({})).await;
}

#[tokio::test]
async fn repetition() {
    is_its_source::<detoxlm_repetition::Repetition, 0>("repetition", json!({})).await;
}

/// The plugin gives what the backend gives that has the same weights.
#[tokio::test]
async fn linear_toxicity() {
    is_its_source::<detoxlm_linear_toxicity::LinearToxicity, 1>("linear-toxicity", json!({})).await;
    let scorer = load("linear-toxicity", json!({})).scorer().unwrap();
    conformance::scorer(&scorer).await.unwrap();
    let backend = ProfanityCheck::new().unwrap();
    let samples = samples();
    let (ours, theirs) =
        (scorer.score(&samples).await.unwrap(), backend.score(&samples).await.unwrap());
    for (sample, (ours, theirs)) in samples.iter().zip(ours.iter().zip(&theirs)) {
        let [ours, theirs] = [ours, theirs].map(|verdict| verdict.get(&Attribute::TOXICITY));
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                assert!((ours - theirs).abs() < 1e-6, "{sample:?}: {ours}, {theirs}");
            }
            (ours, theirs) => assert_eq!(ours, theirs, "{sample:?}"),
        }
    }
}

/// Plugins in other languages: their components are too large to be kept here, so this looks at them where
/// somebody has built them (`plugins/samples/*/build.sh`), and says so where nobody has.
#[tokio::test]
async fn plugins_in_other_languages() {
    for name in ["writing-system", "boilerplate"] {
        if !folder(name).join(format!("{name}.wasm")).is_file() {
            println!("{name} is not built: skipped");
            continue;
        }
        // Compiling an interpreter takes a while.
        let cache = tempfile::tempdir().unwrap();
        let host = PluginHost::new(HostConfig::default().with_cache(cache.path())).unwrap();
        for case in JsonlReader::<Case>::open(folder(name).join("cases.jsonl")).unwrap() {
            let case = case.unwrap();
            let options = PluginOptions::default().with_settings(case.settings.clone());
            match (host.load(folder(name), options), &case.bad_settings) {
                (Ok(plugin), None) => {
                    let judged = plugin.judge(&[Sample::new(case.text.as_str())]).await.unwrap();
                    assert!(case.says(&judged[0]), "{name}: {case:?}: {:?}", judged[0]);
                }
                (Err(error), Some(why)) => assert!(error.message().contains(why), "{error}"),
                (outcome, _) => panic!("{name}: {case:?}: {outcome:?}"),
            }
        }
        let plugin = host.load(folder(name), PluginOptions::default()).unwrap();
        for finding in check(&plugin, &samples()[..30]).await.unwrap() {
            assert_eq!(finding.broken, None, "{name}: {}", finding.rule);
        }
    }
}

/// What a plugin makes of a text, or of settings.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Case {
    text: String,
    settings: Map<String, Value>,
    scores: Option<BTreeMap<Attribute, f32>>,
    reject: Option<String>,
    abstain: Option<String>,
    bad_settings: Option<String>,
}

impl Case {
    fn says(&self, judgement: &Judgement) -> bool {
        match judgement {
            Judgement::Scored(scores) => self.scores.as_ref().is_some_and(|expected| {
                let near = |value: f32, expected: &f32| (value - expected).abs() < 1e-6;
                scores
                    .iter()
                    .all(|(name, value)| expected.get(name).is_some_and(|e| near(value, e)))
            }),
            Judgement::Rejected(why) => self.reject.as_ref() == Some(why),
            Judgement::Abstained(why) => self.abstain.as_ref() == Some(why),
            _ => false,
        }
    }
}
