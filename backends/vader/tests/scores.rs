//! The scorer against the published package, and against its contract.

use detoxlm_core::{Attribute, ErrorKind, Registry, Sample, ToxicityScorer, Unscored, Verdict};
use detoxlm_vader::{Vader, register};
use serde::Deserialize;

/// A text with what `make_expected.py` says of it.
#[derive(Deserialize)]
struct Expected {
    text: String,
    /// Rounded to four decimals.
    compound: f32,
}

fn expected() -> Vec<Expected> {
    serde_json::from_str(include_str!("expected.json")).unwrap()
}

async fn sentiment(texts: impl IntoIterator<Item = &str>) -> Vec<f32> {
    let samples: Vec<_> = texts.into_iter().map(Sample::new).collect();
    let verdicts = Vader::new().unwrap().score(&samples).await.unwrap();
    verdicts.iter().map(|verdict| verdict.get(&Attribute::SENTIMENT).unwrap()).collect()
}

#[tokio::test]
async fn values_are_those_of_the_published_package() {
    let expected = expected();
    assert!(expected.len() > 50);
    let found = sentiment(expected.iter().map(|row| row.text.as_str())).await;
    for (row, found) in expected.iter().zip(found) {
        let compound = found * 2.0 - 1.0;
        assert!(
            (row.compound - compound).abs() < 6e-5,
            "{:?}: {compound}, {}",
            row.text,
            row.compound
        );
    }
}

#[tokio::test]
async fn kind_neutral_and_unkind_stand_on_their_sides_of_the_middle() {
    let found = sentiment(["A lovely day.", "A table.", "A horrible day."]).await;
    assert!(found[0] > 0.5 && found[1] == 0.5 && found[2] < 0.5, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scorer_keeps_its_contract() {
    detoxlm_conformance::scorer(&Vader::new().unwrap()).await.unwrap();
    let texts: Vec<_> = expected().into_iter().map(|row| row.text).collect();
    detoxlm_conformance::scorer_on(&Vader::new().unwrap(), &texts).await.unwrap();
}

#[tokio::test]
async fn blank_is_missing_and_not_neutral() {
    let scorer = Vader::new().unwrap();
    let verdicts = scorer.score(&[Sample::new(" \u{3000}\n")]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Unscored(Unscored::Blank)]);
}

#[test]
fn a_name_without_an_argument_opens_it() {
    let mut registry = Registry::new();
    register(&mut registry);
    let scorer = registry.scorer("vader").unwrap();
    assert_eq!(scorer.info(), Vader::new().unwrap().info());
    assert_eq!(scorer.info().to_string().split(" (").next(), Some("vader 3.3.2"));
    let error = registry.scorer("vader:lexicon").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}
