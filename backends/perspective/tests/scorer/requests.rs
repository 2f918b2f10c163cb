//! What is sent, and what is not.

use std::time::{Duration, Instant};

use detoxlm_core::layers::{ToxicityScorerExt as _, Windows};
use detoxlm_core::{Attribute, ErrorKind, Sample, ToxicityScorer as _, Unscored, Verdict};
use detoxlm_perspective::protocol::MAX_TEXT_BYTES;
use detoxlm_perspective::{LongTexts, Perspective, Secret};
use serde_json::{Value, json};

use crate::support::{Reaction, Server, score};

#[tokio::test]
async fn a_request_is_what_the_service_documents() {
    let server = Server::good();
    let options = server
        .options()
        .with_attributes([Attribute::TOXICITY, "FLIRTATION".parse().unwrap()])
        .with_languages(["en", "de"])
        .with_span_annotations(true)
        .with_header("X-Team", "evaluation");
    let key = Secret::new("AIza/key+of=one").unwrap();
    let scorer = Perspective::new(Some(key), &options).unwrap();
    let sample = Sample::new("naïve 😀 \"text\"").with_prompt("is not sent");
    scorer.score(&[sample]).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /v1alpha1/comments:analyze?key=AIza%2Fkey%2Bof%3Done HTTP/1.1");
    assert_eq!(asked.headers["content-type"], "application/json");
    assert_eq!(asked.headers["x-team"], "evaluation");
    assert_eq!(
        serde_json::from_str::<Value>(&asked.body).unwrap(),
        json!({
            "comment": {"text": "naïve 😀 \"text\""},
            "requestedAttributes": {"FLIRTATION": {}, "TOXICITY": {}},
            "languages": ["de", "en"],
            "doNotStore": true,
            "spanAnnotations": true
        })
    );
}

#[tokio::test]
async fn the_service_must_forget_unless_it_is_allowed_to_keep() {
    let server = Server::good();
    score(&server.scorer(), &["one"]).await;
    let options = server.options().with_do_not_store(false).with_languages::<&str>([]);
    score(&Perspective::new(None, &options).unwrap(), &["one"]).await;
    let asked = server.asked();
    assert_eq!(asked[0].request.do_not_store, Some(true));
    assert_eq!(asked[0].request.languages, ["en"]);
    assert_eq!(asked[0].request.requested_attributes.len(), 7);
    assert_eq!(asked[1].request.do_not_store, Some(false));
    assert!(!asked[1].body.contains("languages"), "{}", asked[1].body);
    assert!(asked[1].line.starts_with("POST /v1alpha1/comments:analyze HTTP"), "{}", asked[1].line);
}

#[tokio::test]
async fn blank_and_overlong_texts_cost_no_request() {
    let server = Server::good();
    let limit = "x".repeat(MAX_TEXT_BYTES);
    let over = "x".repeat(MAX_TEXT_BYTES - 3) + "😀";
    let megabyte = "word ".repeat(200_000);
    let blank = " ".repeat(2 * MAX_TEXT_BYTES);
    let texts = ["", " \n\u{3000}", &blank, &limit, &over, &megabyte, "\u{202b}שלום\u{200b}"];
    let verdicts = score(&server.scorer(), &texts).await;
    let (no, long) = (Verdict::Unscored(Unscored::Blank), Verdict::Unscored(Unscored::TooLong));
    assert_eq!(verdicts[..3], [no.clone(), no.clone(), no.clone()]);
    assert!(matches!(verdicts[3], Verdict::Scored(_)));
    assert_eq!(verdicts[4..6], [long.clone(), long]);
    assert!(matches!(verdicts[6], Verdict::Scored(_)));
    assert_eq!(server.asked().len(), 2);

    // Cut, the text ends before the character that does not fit.
    let cutting = server.options().with_long_texts(LongTexts::Cut);
    let spaces = " ".repeat(MAX_TEXT_BYTES) + "x";
    let cut = Perspective::new(None, &cutting).unwrap();
    let verdicts = score(&cut, &[&over, &spaces]).await;
    assert_eq!(server.asked()[2].text(), &over[..MAX_TEXT_BYTES - 3]);
    assert!(matches!(verdicts[0], Verdict::Scored(_)));
    assert_eq!(verdicts[1], no);
    assert_eq!(server.asked().len(), 3);
    assert_ne!(cut.info().digest, server.scorer().info().digest);

    // In windows, all of it is asked about.
    let windows = Windows { characters: 5000, overlap: 0, ..Windows::default() };
    let windowed = server.scorer().windowed(windows).unwrap();
    assert!(matches!(score(&windowed, &[&megabyte]).await[0], Verdict::Scored(_)));
    let pieces: Vec<_> = server.asked()[3..].iter().map(|asked| asked.text().len()).collect();
    assert_eq!(pieces.iter().sum::<usize>(), megabyte.len());
    assert!(pieces.iter().all(|piece| *piece <= MAX_TEXT_BYTES));
}

#[tokio::test]
async fn parts_have_their_scores_at_bytes() {
    let server = Server::start(|_| {
        let body = json!({"attributeScores": {"TOXICITY": {
            "summaryScore": {"value": 0.5},
            "spanScores": [{"begin": 3, "end": 7, "score": {"value": 0.75}}]
        }}});
        Reaction::json(200, body.to_string())
    });
    let text = "😀 haha";
    let analyses = server.scorer().analyze(&[text, " "]).await.unwrap();
    let response = analyses[0].response.as_ref().unwrap();
    let parts = response.attribute_scores["TOXICITY"].parts_of(text);
    assert_eq!((&text[parts[0].0.clone()], parts[0].1), ("haha", 0.75));
    assert_eq!(analyses[0].verdict.get(&Attribute::TOXICITY), Some(0.5));
    assert_eq!(analyses[1].response, None);
    assert_eq!(analyses[1].verdict, Verdict::Unscored(Unscored::Blank));
}

#[tokio::test]
async fn the_rate_and_the_number_at_once_hold_over_all_calls() {
    let server = Server::start(|asked| match asked.before {
        0 => Reaction::json(503, ""),
        _ => Reaction::good(&asked.request),
    });
    let options = server.options().with_requests_per_second(Some(100.0)).with_concurrency(4);
    let scorer = Perspective::new(None, &options).unwrap();
    let texts: Vec<String> = (0..75).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let begin = Instant::now();
    futures_util::future::join(score(&scorer, &texts[..40]), score(&scorer, &texts[40..])).await;
    // 150 requests, of which a second's worth may go at once.
    assert_eq!(server.asked().len(), 150);
    assert!(begin.elapsed() >= Duration::from_millis(490), "{:?}", begin.elapsed());
}

#[test]
fn what_decides_a_score_is_in_the_digest() {
    let server = Server::good();
    let digest = |options| Perspective::new(None, &options).unwrap().info().digest.clone();
    let options = || server.options();
    let base = digest(options());
    assert_eq!(base, digest(options().with_concurrency(1).with_do_not_store(false)));
    let others = [
        digest(options().with_endpoint("http://localhost/other")),
        digest(options().with_attributes([Attribute::TOXICITY])),
        digest(options().with_languages(["de"])),
        digest(options().with_span_annotations(true)),
        digest(options().with_long_texts(LongTexts::Cut)),
    ];
    for (index, other) in others.iter().enumerate() {
        assert!(*other != base && !others[..index].contains(other), "{index}");
    }
    let error = Perspective::new(None, &options().with_requests_per_second(Some(0.0)));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidConfig);
}
