//! The sample plugins: each component is its source, keeps the contract, and does what it says.

use std::path::{Path, PathBuf};

use detoxlm::corpus::{JsonlReader, TextRow};
use detoxlm::plugins::check::check;
use detoxlm::plugins::testing::{Answer, differences};
use detoxlm::plugins::{HostConfig, Judgement, Plugin, PluginHost, PluginOptions};
use detoxlm::profanity_check::ProfanityCheck;
use detoxlm::{Attribute, Sample, ToxicityScorer as _};
use detoxlm_conformance as conformance;
use detoxlm_guest::{Configured, Verdict, native};
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

async fn is_its_source<P: detoxlm_guest::Plugin<N>, const N: usize>(name: &str, settings: Value) {
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
        let host = host();
        let plugin = host.load(folder(name), PluginOptions::default()).unwrap();
        let rows = JsonlReader::<TextRow>::open(folder(name).join("cases.jsonl")).unwrap();
        for row in rows {
            let row = row.unwrap();
            let plugin = match row.fields.get("settings").and_then(Value::as_object) {
                Some(settings) => {
                    let options = PluginOptions::default().with_settings(settings.clone());
                    host.load(folder(name), options).unwrap()
                }
                None => plugin.clone(),
            };
            let judged = plugin.judge(&[Sample::new(row.text.as_str())]).await.unwrap();
            assert!(is_as_said(&judged[0], &row.fields), "{name}: {row:?}: {:?}", judged[0]);
        }
        for finding in check(&plugin, &samples()[..30]).await.unwrap() {
            assert_eq!(finding.broken, None, "{name}: {}", finding.rule);
        }
    }
}

/// A case says `scores`, `reject` or `abstain`.
fn is_as_said(judgement: &Judgement, said: &Map<String, Value>) -> bool {
    match judgement {
        Judgement::Scored(scores) => said.get("scores").is_some_and(|expected| {
            scores.iter().all(|(name, value)| {
                let expected = expected.get(name.as_str()).and_then(Value::as_f64);
                expected.is_some_and(|expected| (expected - f64::from(value)).abs() < 1e-6)
            })
        }),
        Judgement::Rejected(why) => said.get("reject") == Some(&json!(why)),
        Judgement::Abstained(why) => said.get("abstain") == Some(&json!(why)),
        Judgement::Passed => said.get("scores") == Some(&json!({})),
        _ => false,
    }
}
