//! Every text ends as scored or unscored with a reason, none is lost, none is scored twice, and
//! nothing permanent is asked again.

use std::time::{Duration, Instant, SystemTime};

use detoxlm_core::{Attribute, ErrorKind, ToxicityScorer as _, Unscored, Verdict};
use detoxlm_perspective::Perspective;
use detoxlm_perspective::protocol::{ErrorEnvelope, ErrorType, status};

use crate::support::{Asked, Reaction, Server, samples, score};

const TEXTS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

/// The fourth text fails twice and then succeeds, in every way that there is to fail for a while.
#[tokio::test]
async fn what_passes_is_asked_again_for_that_text_alone() {
    let good = score(&Server::good().scorer(), &TEXTS).await;
    assert!(good.iter().all(|verdict| matches!(verdict, Verdict::Scored(_))));
    let broken = |status, name| {
        let envelope = ErrorEnvelope::new(status, name, "for now");
        Reaction::json(status, serde_json::to_vec(&envelope).unwrap())
    };
    let limited =
        || Reaction::json(429, serde_json::to_vec(&ErrorEnvelope::rate_limited(60)).unwrap());
    let past = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(5));
    let faults = [
        ("a closed connection", Reaction::Close),
        ("half an answer", Reaction::BreakOff(br#"{"attributeScores": {"TOXI"#.to_vec())),
        ("silence", Reaction::Late(Duration::from_millis(90))),
        ("429", limited()),
        ("429 with seconds", limited().with("Retry-After", "0")),
        ("429 with a date", limited().with("Retry-After", past)),
        ("429 with nonsense", limited().with("Retry-After", "in a while")),
        ("500", broken(500, status::INTERNAL)),
        ("503", broken(503, status::UNAVAILABLE)),
        (
            "502 of a proxy",
            Reaction::json(502, "<html>bad gateway").with("Content-Type", "text/html"),
        ),
        ("malformed JSON", Reaction::json(200, "{attributeScores}")),
        ("truncated JSON", Reaction::json(200, r#"{"attributeScores": {"TOXICITY": {"#)),
        ("bytes that are no UTF-8", Reaction::json(200, b"{\"a\": \"\xff\"}".to_vec())),
        ("nothing", Reaction::json(200, "")),
        ("JSON of another shape", Reaction::json(200, r#"{"attributeScores": [1]}"#)),
        ("a list", Reaction::json(200, "[]")),
        ("a page", Reaction::json(200, "<html>log in").with("Content-Type", "text/html")),
        ("JSON by another name", Reaction::json(200, "{}").with("Content-Type", "text/plain")),
    ];
    for (name, fault) in faults {
        let server = Server::start(move |asked: &Asked| match (asked.text(), asked.before) {
            ("four", 0 | 1) => fault.clone(),
            _ => Reaction::good(&asked.request),
        });
        let options = server.options().with_timeout(Duration::from_millis(60));
        // Several at once, and one after the other.
        let scorer = Perspective::new(None, &options.with_concurrency(3)).unwrap();
        assert_eq!(score(&scorer, &TEXTS).await, good, "{name}");
        assert_eq!(server.counts(&TEXTS), [1, 1, 1, 3, 1, 1], "{name}");
    }
}

#[tokio::test]
async fn a_burst_that_hits_everyone_is_outlived() {
    let server = Server::start(|asked| match asked.before {
        0 => Reaction::json(500, ""),
        1 => Reaction::json(503, "").with("Retry-After", "0"),
        _ => Reaction::good(&asked.request),
    });
    let verdicts = score(&server.scorer(), &TEXTS).await;
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Scored(_))));
    assert_eq!(server.counts(&TEXTS), [3; 6]);
}

#[tokio::test]
async fn a_text_that_never_succeeds_fails_alone_and_an_outage_is_no_verdict() {
    let server = Server::start(|asked| match asked.text() {
        "four" => Reaction::json(500, ""),
        _ => Reaction::good(&asked.request),
    });
    let verdicts = score(&server.scorer(), &TEXTS).await;
    assert_eq!(verdicts[3], Verdict::Unscored(Unscored::Failed("HTTP 500, asked 4 times".into())));
    assert_eq!(server.counts(&TEXTS), [1, 1, 1, 4, 1, 1]);

    let server = Server::start(|_| Reaction::json(503, ""));
    for texts in [&TEXTS[..], &TEXTS[..1]] {
        let error = server.scorer().score(&samples(texts)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("HTTP 503, asked 4 times"), "{error}");
    }
    let nobody = {
        let server = Server::good();
        server.options()
    };
    let scorer = Perspective::new(None, &nobody).unwrap();
    let error = scorer.score(&samples(&["one"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_wait_is_kept_and_an_endless_one_is_not() {
    let server = Server::start(|asked| match (asked.text(), asked.before) {
        ("four", 0) => Reaction::json(429, "").with("Retry-After", "1"),
        ("five", _) => Reaction::json(429, "").with("Retry-After", "86400"),
        _ => Reaction::good(&asked.request),
    });
    let begin = Instant::now();
    let verdicts = score(&server.scorer(), &TEXTS).await;
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert!(matches!(verdicts[3], Verdict::Scored(_)));
    let why = "HTTP 429; it asks to wait 86400 s";
    assert_eq!(verdicts[4], Verdict::Unscored(Unscored::Failed(why.into())));
    assert_eq!(server.counts(&TEXTS), [1, 1, 1, 2, 1, 1]);
}

/// HTTP 400 of every kind: a reason, and one request.
#[tokio::test]
async fn a_refusal_is_the_texts_reason_and_is_not_asked_again() {
    let language = ErrorEnvelope::unsupported_language("THREAT", &["tr".into()]);
    let mut undetected = language.clone();
    undetected.error.details[0].language_not_supported_by_attribute_error = None;
    let invalid = |kind, message: &str| ErrorEnvelope::invalid(kind, message);
    let abstained = |why: &str| Unscored::Abstained(why.into());
    let json = |envelope: &ErrorEnvelope| serde_json::to_vec(envelope).unwrap();
    let cases = [
        (400, json(&invalid(ErrorType::CommentEmpty, "m")), Unscored::Blank),
        (400, json(&invalid(ErrorType::CommentTooLong, "m")), Unscored::TooLong),
        (400, json(&language), Unscored::Language("tr".into())),
        (400, json(&undetected), Unscored::Language("und".into())),
        (
            400,
            json(&invalid(ErrorType::LanguageDetectionFailed, "m")),
            Unscored::Language("und".into()),
        ),
        (
            400,
            json(&invalid(ErrorType::NoRequestedAttributes, "none")),
            abstained("HTTP 400: none"),
        ),
        (400, json(&invalid(ErrorType::InvalidRequest, "Unknown")), abstained("HTTP 400: Unknown")),
        (400, br#"{"error": {"details": [{"errorType": "NEW"}]}}"#.to_vec(), abstained("HTTP 400")),
        (400, b"<html>".to_vec(), abstained("HTTP 400")),
        (408, Vec::new(), abstained("HTTP 408")),
        (413, Vec::new(), Unscored::TooLong),
        (422, b"{\"error\": {\"message\": \"no\"}}".to_vec(), abstained("HTTP 422: no")),
    ];
    for (status, body, reason) in cases {
        let server = Server::start(move |asked| match asked.text() {
            "four" => Reaction::json(status, body.clone()),
            _ => Reaction::good(&asked.request),
        });
        let verdicts = score(&server.scorer(), &TEXTS).await;
        assert_eq!(verdicts[3], Verdict::Unscored(reason.clone()), "{status}");
        let scored = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Scored(_)));
        assert_eq!(scored.count(), 5, "{reason}");
        assert_eq!(server.counts(&TEXTS), [1; 6], "{reason}");
    }
}

#[tokio::test]
async fn what_denies_everyone_ends_the_call_with_advice() {
    let key = r#"{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}}"#;
    for (status, body) in [(401, ""), (403, ""), (410, ""), (400, key)] {
        let server = Server::start(move |_| Reaction::json(status, body));
        let options = server.options().with_concurrency(1);
        let scorer = Perspective::new(None, &options).unwrap();
        let error = scorer.score(&samples(&TEXTS)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{status}");
        assert!(error.message().starts_with(&format!("HTTP {status}")), "{error}");
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("2026-12-31") && remedy.contains("replay"), "{remedy}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_wrong_address_is_said_to_be_one() {
    let target = Server::good();
    let to = format!("{}?key=AIza-secret-key", target.endpoint());
    for status in [301, 302, 303, 307, 308] {
        let to = to.clone();
        let server =
            Server::start(move |_| Reaction::json(status, "").with("Location", to.clone()));
        let options = server.options().with_concurrency(1);
        let error = Perspective::new(None, &options).unwrap().score(&samples(&TEXTS)).await;
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("endpoint")));
        assert!(error.message().contains(&target.endpoint()), "{error}");
        assert!(!error.to_string().contains("AIza"), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
    assert_eq!(target.asked().len(), 0);
    let server = Server::start(|_| Reaction::json(404, ""));
    let error = server.scorer().score(&samples(&TEXTS)).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, Some("endpoint")));
}

#[tokio::test]
async fn a_huge_answer_is_not_read_and_not_asked_for_again() {
    let huge = format!("{{\"clientToken\": \"{}\"}}", "x".repeat(1 << 20));
    let server = Server::start(move |asked| match asked.text() {
        "four" => Reaction::json(200, huge.clone()),
        "five" if asked.before == 0 => Reaction::json(503, huge.clone()),
        _ => Reaction::good(&asked.request),
    });
    let options = server.options().with_longest_answer(10_000);
    let scorer = Perspective::new(None, &options).unwrap();
    let verdicts = score(&scorer, &TEXTS).await;
    let why = "the answer is over 10000 bytes";
    assert_eq!(verdicts[3], Verdict::Unscored(Unscored::Failed(why.into())));
    assert!(matches!(verdicts[4], Verdict::Scored(_)));
    assert_eq!(server.counts(&TEXTS), [1, 1, 1, 1, 2, 1]);
}

#[tokio::test]
async fn what_an_answer_lacks_is_missing_and_never_0() {
    let body = |text: &str| match text {
        "one" => r#"{"attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.5}}}}"#,
        "two" => {
            r#"{"attributeScores": {"TOXICITY": {"spanScores": []}, "THREAT": {"summaryScore":
                  {"value": 0.25, "type": "PROBABILITY"}}}}"#
        }
        "three" => "{}",
        "four" => r#"{"attributeScores": {"TOXICITY": {"summaryScore": {"value": 1.5}}}}"#,
        "five" => r#"{"attributeScores": {"NICENESS": {"summaryScore": {"value": 0.5}}}}"#,
        _ => {
            r#"{"attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.5, "type": "RAW"}}}}"#
        }
    };
    let server = Server::start(move |asked| Reaction::json(200, body(asked.text())));
    let verdicts = score(&server.scorer(), &TEXTS).await;
    assert_eq!(verdicts[0].get(&Attribute::TOXICITY), Some(0.5));
    assert_eq!(verdicts[0].get(&Attribute::THREAT), None);
    assert_eq!(verdicts[1].get(&Attribute::TOXICITY), None);
    assert_eq!(verdicts[1].get(&Attribute::THREAT), Some(0.25));
    let none =
        Verdict::Unscored(Unscored::Abstained("the answer has none of the attributes".into()));
    assert_eq!([&verdicts[2], &verdicts[4]], [&none, &none]);
    for verdict in [&verdicts[3], &verdicts[5]] {
        assert!(matches!(verdict, Verdict::Unscored(Unscored::Failed(_))), "{verdict:?}");
    }
    assert_eq!(server.counts(&TEXTS), [1; 6]);
}
