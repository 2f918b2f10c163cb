//! What is wrong with a request or its text, and how the answer says so.

use detoxlm_perspective::server::{RequiredKey, ServerConfig};
use serde_json::{Value, json};

use crate::scorer::Lengths;
use crate::support::{ANALYZE, JSON, Running};

fn about(text: &str) -> Value {
    json!({"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}})
}

fn error_type(error: &Value) -> &str {
    assert_eq!(
        error["details"][0]["@type"],
        "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
    );
    error["details"][0]["errorType"].as_str().unwrap()
}

#[tokio::test]
async fn a_wrong_request_gets_the_services_own_error() {
    let server = Running::default().await;
    let long = "x".repeat(20_481);
    for (body, kind, words) in [
        (about(""), "COMMENT_EMPTY", "non-empty"),
        (about(" \n\t\u{a0}"), "COMMENT_EMPTY", "non-empty"),
        (json!({"requestedAttributes": {"TOXICITY": {}}}), "COMMENT_EMPTY", "non-empty"),
        (about(&long), "COMMENT_TOO_LONG", "20481 bytes, at most 20480"),
        (about("too long"), "COMMENT_TOO_LONG", "for this scorer"),
        (json!({"comment": {"text": "a"}}), "NO_REQUESTED_ATTRIBUTES", "Missing"),
        (
            json!({"comment": {"text": "a"}, "requestedAttributes": {"TOXICTY": {}}}),
            "INVALID_REQUEST",
            "Unknown requested attribute: TOXICTY. Available: TOXICITY, SEVERE_TOXICITY,",
        ),
        (
            json!({"comment": {"text": "a"}, "requestedAttributes": {"toxicity": {}}}),
            "INVALID_REQUEST",
            "Unknown requested attribute: toxicity",
        ),
        (
            json!({"comment": {"text": "a"}, "requestedAttributes": {"FLIRTATION": {}}}),
            "INVALID_REQUEST",
            "Unknown requested attribute: FLIRTATION",
        ),
        (
            json!({"comment": {"text": "a", "type": "HTML"},
                   "requestedAttributes": {"TOXICITY": {}}}),
            "INVALID_REQUEST",
            "PLAIN_TEXT",
        ),
        (
            json!({"comment": {"text": "a"},
                   "requestedAttributes": {"TOXICITY": {"scoreType": "PERCENTILE"}}}),
            "INVALID_REQUEST",
            "only PROBABILITY",
        ),
    ] {
        let error = server.analyze(&body).await.refused(400, "INVALID_ARGUMENT");
        assert_eq!(error_type(&error), kind, "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    // At the limit is within it, however many characters that is.
    server.analyze(&about(&"😀".repeat(5_120))).await.ok();
    assert_eq!(server.server.totals().requests(), 12);
}

#[tokio::test]
async fn what_is_no_json_is_refused_and_says_where() {
    let server = Running::default().await;
    let surrogate = r#"{"comment":{"text":"\ud83d"},"requestedAttributes":{"TOXICITY":{}}}"#;
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"{\"comment\":\"text\"}",
        b"\xff\xfe",
        b"{\"comment\":{\"text\":\"\xf0\x9f\"}}",
        surrogate.as_bytes(),
        "[".repeat(100_000).as_bytes(),
    ] {
        let error = server.post(ANALYZE, body).await.refused(400, "INVALID_ARGUMENT");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("Invalid JSON payload received. "), "{message}");
    }
}

#[tokio::test]
async fn a_text_without_scores_is_refused_and_never_a_zero() {
    let server = Running::default().await;
    let error = server.analyze(&about("abstain")).await.refused(400, "FAILED_PRECONDITION");
    let expected = "The scorer gave this comment no value: abstained: a rule.";
    assert_eq!(error["message"], expected);
    let error = server.analyze(&about("fail")).await.refused(400, "FAILED_PRECONDITION");
    assert_eq!(error["message"], "The scorer gave this comment no value: failed: no memory.");
    server.analyze(&about("only a threat")).await.refused(400, "FAILED_PRECONDITION");

    let error = server.analyze(&about("bonjour")).await.refused(400, "INVALID_ARGUMENT");
    assert_eq!(error_type(&error), "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE");
    assert_eq!(
        error["details"][0]["languageNotSupportedByAttributeError"],
        json!({"detectedLanguages": ["fr"], "attribute": "TOXICITY"})
    );
    let some = json!({"comment": {"text": "only a threat"},
                      "requestedAttributes": {"THREAT": {}, "TOXICITY": {}}});
    let reply = server.analyze(&some).await;
    let scores = &reply.ok()["attributeScores"];
    assert_eq!(scores["THREAT"]["summaryScore"]["value"], 1.0);
    assert_eq!(scores.get("TOXICITY"), None);
    assert_eq!(reply.headers["x-detoxlm-left-out"], "TOXICITY");
}

#[tokio::test]
async fn a_scorer_that_fails_is_no_fault_of_the_request() {
    let server = Running::default().await;
    let reply = server.analyze(&about("unavailable")).await;
    let error = reply.refused(503, "UNAVAILABLE");
    assert_eq!(error["message"], "The scorer failed: the upstream is away.");
    assert_eq!(reply.headers["retry-after"], "1");
    let reply = server.analyze(&about("denied")).await;
    reply.refused(500, "INTERNAL");
    assert_eq!(reply.headers.get("retry-after"), None);
    let totals = server.server.totals();
    assert_eq!((totals.failed, totals.requests()), (2, 2));
}

#[tokio::test]
async fn languages_that_the_scorer_does_not_know_are_refused() {
    let config = ServerConfig::default().with_languages(["en"]);
    let server = Running::start(Lengths::new(), config).await;
    let mut body = about("hello");
    let json = server.analyze(&body).await.ok();
    assert_eq!((&json["languages"], &json["detectedLanguages"]), (&json!(["en"]), &json!(["und"])));
    body["languages"] = json!(["en-US"]);
    assert_eq!(server.analyze(&body).await.ok()["languages"], json!(["en-US"]));
    body["languages"] = json!(["en", "de"]);
    let error = server.analyze(&body).await.refused(400, "INVALID_ARGUMENT");
    assert_eq!(error_type(&error), "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE");
    assert_eq!(
        error["details"][0]["languageNotSupportedByAttributeError"],
        json!({"requestedLanguages": ["en", "de"], "attribute": "TOXICITY"})
    );
}

#[tokio::test]
async fn attributes_of_the_service_that_the_scorer_lacks_are_left_out_or_refused() {
    let body = json!({"comment": {"text": "hello"},
                      "requestedAttributes": {"INSULT": {}, "FLIRTATION": {}, "SPAM": {}}});
    let server = Running::default().await;
    let reply = server.analyze(&body).await;
    let json = reply.ok();
    let names: Vec<_> = json["attributeScores"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["INSULT"]);
    assert_eq!(reply.headers["x-detoxlm-left-out"], "FLIRTATION, SPAM");
    let strict = ServerConfig::default().with_strict_attributes(true);
    let strict = Running::start(Lengths::new(), strict).await;
    let error = strict.analyze(&body).await.refused(400, "INVALID_ARGUMENT");
    assert!(error["message"].as_str().unwrap().contains("FLIRTATION"), "{error}");
}

#[tokio::test]
async fn a_required_key_is_asked_for_wherever_clients_put_it() {
    let config = ServerConfig::default().with_key(RequiredKey::new("s3cret/&"));
    let server = Running::start(Lengths::new(), config).await;
    let body = about("hello").to_string();
    for target in ["", "?key=", "?key=s3cret", "?alt=json", "?key=wrong&key=s3cret%2F%26"] {
        let reply = server.post(&format!("{ANALYZE}{target}"), &body).await;
        reply.refused(403, "PERMISSION_DENIED");
        assert!(!reply.body.contains("s3cret"));
    }
    server.post(&format!("{ANALYZE}?alt=json&key=s3cret%2F%26"), &body).await.ok();
    let header = [JSON, ("X-Goog-Api-Key", "s3cret/&")];
    let mut client = server.connect().await;
    client.call("POST", ANALYZE, &header, body.as_bytes()).await.ok();
    // What says nothing of texts is open: clients ask for it before they show a key.
    server.get("/$discovery/rest?version=v1alpha1").await.ok();
    server.get("/health").await.ok();
    assert!(!format!("{:?}", server.server).contains("s3cret"));
}

#[tokio::test]
async fn other_paths_and_methods_are_told_apart() {
    let server = Running::default().await;
    server.get(ANALYZE).await.refused(405, "UNIMPLEMENTED");
    server.post("/v1alpha1/comments:suggestscore", "{}").await.refused(501, "UNIMPLEMENTED");
    for path in ["/", "/v1alpha1/comments", "/v1alpha1/comments:analyse", "/v1/comments:analyze"] {
        server.post(path, "{}").await.refused(404, "NOT_FOUND");
    }
    server.post("/batch", "{}").await.refused(400, "INVALID_ARGUMENT");
}
