//! The scorer against the published formula in numpy, and against its contract.

use detoxlm_core::{Attribute, ErrorKind, Registry, Sample, ToxicityScorer, Unscored, Verdict};
use detoxlm_profanity_check::{ProfanityCheck, register};
use serde::Deserialize;

/// A text with what `make_expected.py` says of it.
#[derive(Deserialize)]
struct Expected {
    text: String,
    toxicity: f32,
}

fn expected() -> Vec<Expected> {
    serde_json::from_str(include_str!("expected.json")).unwrap()
}

async fn toxicity(texts: impl IntoIterator<Item = &str>) -> Vec<f32> {
    let samples: Vec<_> = texts.into_iter().map(Sample::new).collect();
    let verdicts = ProfanityCheck::new().unwrap().score(&samples).await.unwrap();
    verdicts.iter().map(|verdict| verdict.get(&Attribute::TOXICITY).unwrap()).collect()
}

#[tokio::test]
async fn values_are_those_of_the_published_formula() {
    let expected = expected();
    assert_eq!(expected.len(), 21);
    let found = toxicity(expected.iter().map(|row| row.text.as_str())).await;
    for (row, found) in expected.iter().zip(found) {
        assert!((row.toxicity - found).abs() < 1e-6, "{:?}: {found}", row.text);
    }
}

#[tokio::test]
async fn words_count_and_case_and_unknown_words_do_not() {
    let texts = ["idiot", "idiot idiot", "IDIOT", "idiot zzyzx", "zzyzx", "!?"];
    let found = toxicity(texts).await;
    assert!(found[1] > found[0], "{found:?}");
    assert_eq!(found[2], found[0]);
    assert_eq!(found[3], found[0]);
    // Without a known word the intercepts speak.
    assert_eq!(found[4], found[5]);
    assert!(found[4] > 0.0 && found[4] < 0.2, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scorer_keeps_its_contract() {
    detoxlm_conformance::scorer(&ProfanityCheck::new().unwrap()).await.unwrap();
    let texts: Vec<_> = expected().into_iter().map(|row| row.text).collect();
    detoxlm_conformance::scorer_on(&ProfanityCheck::new().unwrap(), &texts).await.unwrap();
}

#[tokio::test]
async fn blank_is_missing_and_not_the_intercepts_value() {
    let scorer = ProfanityCheck::new().unwrap();
    let verdicts = scorer.score(&[Sample::new(" \u{3000}\n")]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Unscored(Unscored::Blank)]);
}

#[test]
fn a_name_without_an_argument_opens_it() {
    let mut registry = Registry::new();
    register(&mut registry);
    let scorer = registry.scorer("profanity-check").unwrap();
    assert_eq!(scorer.info(), ProfanityCheck::new().unwrap().info());
    assert_eq!(scorer.info().to_string().split(" (").next(), Some("profanity-check 1.0.3"));
    let error = registry.scorer("profanity-check:models/judge").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("`profanity-check:models/judge`"), "{error}");
    assert!(error.remedy().is_some_and(|remedy| remedy == "write profanity-check"), "{error}");
}
