//! A key that a hostile service repeats in every way is shown nowhere.

use std::fs;

use detoxlm_core::{ToxicityScorer as _, Verdict};
use detoxlm_perspective::protocol::{ErrorEnvelope, ErrorType};
use detoxlm_perspective::{Perspective, Recorder, Replay, Secret};

use crate::support::{Asked, Reaction, Server, samples, score};

const KEY: &str = "AIzaSy/never+shown";
const ENCODED: &str = "AIzaSy%2Fnever%2Bshown";
const TOKEN: &str = "Bearer never-shown-either";

fn assert_clean(shown: &str) {
    for part in [KEY, ENCODED, TOKEN, "never-shown", "AIzaSy"] {
        assert!(!shown.contains(part), "{shown}");
    }
}

fn open(server: &Server) -> Perspective {
    let options = server
        .options()
        .with_concurrency(1)
        .with_secret_header("authorization", Secret::new(TOKEN).unwrap());
    Perspective::new(Some(Secret::new(KEY).unwrap()), &options).unwrap()
}

/// Repeats what it was sent.
fn echo(asked: &Asked) -> String {
    format!("{} with {} {KEY} {ENCODED}", asked.line, asked.headers["authorization"])
}

#[tokio::test]
async fn no_error_and_no_debug_output_shows_it() {
    type Rule = fn(&Asked) -> Reaction;
    let rules: [Rule; 8] = [
        |asked| {
            let body = ErrorEnvelope::new(403, "PERMISSION_DENIED", echo(asked));
            Reaction::json(403, serde_json::to_vec(&body).unwrap())
        },
        |asked| {
            let body = ErrorEnvelope::new(503, "UNAVAILABLE", echo(asked));
            Reaction::json(503, serde_json::to_vec(&body).unwrap())
        },
        |asked| {
            Reaction::json(302, "")
                .with("Location", format!("https://a.example/{KEY}?{}", asked.line))
        },
        |_| Reaction::json(404, format!(r#"{{"error": {{"message": "{KEY}"}}}}"#)),
        |_| Reaction::json(200, "").with("Content-Type", format!("text/{ENCODED}")),
        |_| Reaction::json(200, format!(r#"{{"attributeScores": "{KEY}"}}"#)),
        |_| Reaction::Close,
        |_| Reaction::BreakOff(KEY.into()),
    ];
    for rule in rules {
        let server = Server::start(rule);
        let scorer = open(&server);
        assert_clean(&format!("{scorer:?} {:#?}", scorer.info()));
        let error = scorer.score(&samples(&["one"])).await.unwrap_err();
        let mut shown = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            shown += &format!(" {cause} {cause:?}");
            source = cause.source();
        }
        assert_clean(&shown);
        assert_eq!(server.asked()[0].headers["authorization"], TOKEN);
    }
}

#[tokio::test]
async fn no_verdict_and_no_record_holds_it() {
    let server = Server::start(|asked| match asked.text() {
        "refused" => {
            let body = ErrorEnvelope::invalid(ErrorType::InvalidRequest, echo(asked));
            Reaction::json(400, serde_json::to_vec(&body).unwrap())
        }
        _ => {
            let body = serde_json::json!({
                "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.5}}, KEY: {}},
                "clientToken": echo(asked),
                "somethingNew": [ENCODED]
            });
            Reaction::json(200, body.to_string())
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.jsonl");
    let recorder = Recorder::open(open(&server), &path).unwrap();
    let verdicts = score(&recorder, &["refused", "scored"]).await;
    assert!(matches!(verdicts[1], Verdict::Scored(_)), "{verdicts:?}");
    assert_clean(&format!("{verdicts:?} {recorder:?}"));
    let record = fs::read_to_string(&path).unwrap();
    assert_clean(&record);
    assert_eq!(record.matches("[redacted]").count(), 10, "{record}");
    drop(recorder);
    let replay = Replay::open(&path).unwrap();
    assert_eq!(score(&replay, &["refused", "scored"]).await, verdicts);
    let analyses = open(&server).analyze(&["scored", "refused"]).await.unwrap();
    assert_clean(&format!("{analyses:?}"));
}
