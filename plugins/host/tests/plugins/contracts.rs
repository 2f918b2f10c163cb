//! A plugin is a scorer and a filter like any other.

use detoxlm_conformance as conformance;
use detoxlm_core::Attribute;

use crate::guest::Guest;
use crate::support::Place;

#[tokio::test]
async fn as_a_scorer() {
    // The length of the text, by a thousand, is in [0, 1] for every text of the suite.
    let guest = Guest {
        verdict: "(call $value (local.get $out)
            (f32.min (f32.const 1) (f32.div (f32.convert_i32_u (local.get $length)) (f32.const 1000))))",
        ..Guest::default()
    };
    let scorer = Place::new().load(&guest).scorer().unwrap();
    conformance::scorer(&scorer).await.unwrap();
}

#[tokio::test]
async fn as_a_filter() {
    let guest = Guest {
        attributes: vec![],
        verdict: "(if (i32.rem_u (local.get $length) (i32.const 2))
          (then (call $string (local.get $out) (i32.const 1) (i32.const 16) (i32.const 4)))
          (else (call $string (local.get $out) (i32.const 0) (i32.const 0) (i32.const 0))))",
        ..Guest::default()
    };
    conformance::filter(&Place::new().load(&guest).filter().unwrap()).await.unwrap();
}

#[tokio::test]
async fn with_settings_it_is_another_scorer() {
    let place = Place::new();
    let one = place.load(&Guest::default());
    let options = crate::support::abstain().with_drop(Attribute::TOXICITY, 0.2);
    let other = place.try_load(&Guest { version: "1.1", ..Guest::default() }, options).unwrap();
    let texts = ["1".to_owned(), "2".to_owned()];
    let (one, other) = (one.scorer().unwrap(), other.scorer().unwrap());
    conformance::scorers_are_told_apart(&one, &other, &texts).await.unwrap();
}
