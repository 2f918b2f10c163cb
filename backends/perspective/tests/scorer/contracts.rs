//! The conformance suite, live, recorded and replayed.

use detoxlm_conformance::{scorer, scorer_on, scorers_are_told_apart};
use detoxlm_core::{Attribute, ErrorKind, Registry, Sample, ToxicityScorer as _};
use detoxlm_perspective::{Perspective, Recorder, Replay, register};

use crate::support::Server;

/// Those that a scorer is likely to get wrong.
fn texts() -> Vec<String> {
    [
        "The weather is lovely.",
        "You are a COMPLETE idiot!",
        "a",
        "two\nlines",
        "naïve 你好 שלום",
        "👨‍👩‍👧 e\u{301}",
        "\0",
    ]
    .map(str::to_owned)
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_keep_the_contract() {
    let server = Server::good();
    scorer(&server.scorer()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let recorder = Recorder::open(server.scorer(), &path).unwrap();
    scorer(&recorder).await.unwrap();
    scorer_on(&recorder, &texts()).await.unwrap();
    let asked = server.asked().len();
    let replay = Replay::open(&path).unwrap();
    scorer_on(&replay, &texts()).await.unwrap();
    // What is not in the record is unscored, by the same contract.
    let mut more = texts();
    more.push("not in the record".into());
    scorer_on(&replay, &more).await.unwrap();
    assert_eq!(server.asked().len(), asked);

    let options = server.options().with_attributes([Attribute::TOXICITY]);
    let fewer = Perspective::new(None, &options).unwrap();
    scorers_are_told_apart(&server.scorer(), &fewer, &texts()).await.unwrap();
    scorers_are_told_apart(&server.scorer(), &replay, &more).await.unwrap();
}

#[tokio::test]
async fn configurations_can_name_them() {
    let mut registry = Registry::new();
    register(&mut registry);
    let server = Server::good();
    let at = registry.scorer(&format!("perspective-at:{}", server.endpoint())).unwrap();
    let samples: Vec<Sample> = texts().into_iter().map(Sample::new).collect();
    let verdicts = at.score(&samples).await.unwrap();

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let live = Perspective::new(None, &server.options()).unwrap();
    Recorder::open(live, &path).unwrap().score(&samples).await.unwrap();
    let replay = registry.scorer(&format!("perspective-replay:{}", path.display())).unwrap();
    assert_eq!(replay.score(&samples).await.unwrap(), verdicts);
    assert_eq!(replay.info().name, "perspective-replay");

    let error = registry.scorer("perspective-replay:nowhere.jsonl").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = registry.scorer("perspective:key").unwrap_err();
    assert_eq!(error.remedy(), Some("write perspective"));
}
