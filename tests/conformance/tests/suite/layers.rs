//! A scorer with layers around it is a scorer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use detoxlm_conformance::scorer;
use detoxlm_core::layers::{
    Backoff, Calibration, CalibrationMap, Combination, Ensemble, ToxicityScorerExt, Windows,
};
use detoxlm_core::testing::CapitalScorer;
use detoxlm_core::{Attribute, Decision, ToxicityScorer, filter_fn};

#[tokio::test]
async fn layers_that_change_no_verdict_keep_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let layered = CapitalScorer::new()
        .limit_time(Duration::from_secs(60))
        .retry(Backoff::default())
        .limit_rate(1e6)
        .unwrap()
        .limit_concurrency(2)
        .cached(directory.path())
        .unwrap();
    scorer(&layered).await.unwrap();
    // Now from what is remembered.
    scorer(&layered).await.unwrap();
    assert_eq!(layered.info(), CapitalScorer::new().info());
}

#[tokio::test]
async fn layers_that_change_verdicts_keep_the_contract() {
    let plain = || CapitalScorer::new();
    let map = CalibrationMap::Logistic { slope: 2.0, intercept: -1.0 };
    let calibration = Calibration {
        scorer: plain().info().digest.clone(),
        target: "another scale".into(),
        maps: BTreeMap::from([(Attribute::TOXICITY, map)]),
        evidence: None,
    };
    let filter = filter_fn("even", |text| match text.len() % 2 {
        0 => Decision::Keep,
        _ => Decision::Drop("odd".into()),
    });
    let members: [Arc<dyn ToxicityScorer>; 2] =
        [Arc::new(plain()), Arc::new(plain().calibrated(calibration.clone()).unwrap())];
    let layers: [Box<dyn ToxicityScorer>; 4] = [
        Box::new(
            plain().windowed(Windows { characters: 9, overlap: 2, ..Windows::default() }).unwrap(),
        ),
        Box::new(plain().calibrated(calibration).unwrap()),
        Box::new(plain().vetoed_by(Arc::new(filter))),
        Box::new(Ensemble::new(members, Combination::Max).unwrap()),
    ];
    let mut digests = std::collections::BTreeSet::new();
    for layer in layers {
        scorer(&*layer).await.unwrap_or_else(|violation| panic!("{layer:?}: {violation}"));
        assert!(digests.insert(layer.info().digest.clone()));
        assert_ne!(layer.info().digest, plain().info().digest);
    }
}
