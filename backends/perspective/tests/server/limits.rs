//! Sizes, times and what else there is to know of a server.

use std::sync::Arc;
use std::time::Duration;

use detoxlm_perspective::server::{Server, ServerConfig};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::scorer::Lengths;
use crate::support::{ANALYZE, Running};

#[tokio::test]
async fn a_body_over_the_limit_is_refused_in_words() {
    let config = ServerConfig::default().with_max_request_bytes(1000);
    let server = Running::start(Lengths::new(), config).await;
    let body = |length: usize| {
        let mut body =
            json!({"comment": {"text": "hello"}, "requestedAttributes": {"TOXICITY": {}}})
                .to_string();
        body.push_str(&" ".repeat(length - body.len()));
        body
    };
    server.post(ANALYZE, body(1000)).await.ok();
    for target in [ANALYZE, "/batch"] {
        for length in [1001, 7000] {
            let mut client = server.connect().await;
            let kind = [("content-type", "multipart/mixed; boundary=b")];
            let reply = client.call("POST", target, &kind, body(length).as_bytes()).await;
            let error = reply.refused(413, "INVALID_ARGUMENT");
            let message = error["message"].as_str().unwrap();
            assert!(message.ends_with("exceeds the limit: 1000 bytes."), "{message}");
        }
    }
    // The same without a length told beforehand.
    let mut client = server.connect().await;
    let head = format!("POST {ANALYZE} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("5dc\r\n{}\r\n0\r\n\r\n", "x".repeat(1500));
    client.stream.write_all((head + &chunk).as_bytes()).await.unwrap();
    client.read().await.refused(413, "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let gate = Arc::new(Semaphore::new(0));
    let limit = Duration::from_millis(100);
    let config = ServerConfig::default().with_request_timeout(limit);
    let server = Running::start(Lengths::held(&gate), config).await;
    let body = json!({"comment": {"text": "hello"}, "requestedAttributes": {"TOXICITY": {}}});
    server.analyze(&body).await.refused(504, "DEADLINE_EXCEEDED");
    // Nor does a body that is never finished keep anything.
    let mut client = server.connect().await;
    let head = format!("POST {ANALYZE} HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{{");
    client.stream.write_all(head.as_bytes()).await.unwrap();
    client.read().await.refused(504, "DEADLINE_EXCEEDED");
    assert_eq!(server.server.totals().failed, 2);
    gate.add_permits(100);
    server.analyze(&body).await.ok();
}

#[tokio::test]
async fn an_upload_that_breaks_off_harms_nobody_else() {
    let server = Running::default().await;
    let mut client = server.connect().await;
    let head = format!("POST {ANALYZE} HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{{");
    client.stream.write_all(head.as_bytes()).await.unwrap();
    drop(client);
    let body = json!({"comment": {"text": "hello"}, "requestedAttributes": {"TOXICITY": {}}});
    server.analyze(&body).await.ok();
}

#[tokio::test]
async fn health_says_who_scores_and_how_much_waits() {
    let server = Running::default().await;
    let reply = server.get("/health").await;
    let json = reply.ok();
    assert_eq!(json["status"], "ok");
    assert_eq!(json["scorer"]["name"], "lengths é");
    assert_eq!(json["scorer"]["version"], "7");
    assert_eq!(json["attributes"].as_array().unwrap().len(), 7);
    assert_eq!(json["queue"], json!({"waiting": 0, "capacity": 4096}));
    assert_eq!(json["totals"]["scored"], 0);
    let digest = json["scorer"]["digest"].as_str().unwrap();
    let signature = &reply.headers["x-detoxlm-scorer"];
    assert_eq!(signature, &format!("lengths \\u{{e9}}; version=7; digest={digest}"));
    assert_eq!(server.post("/nowhere", "").await.headers["x-detoxlm-scorer"], *signature);
}

#[tokio::test]
async fn scores_are_shown_from_their_threshold_on() {
    let server = Running::default().await;
    let text = "x".repeat(5000);
    let body = json!({"comment": {"text": text}, "requestedAttributes": {
        "TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.5},
        "INSULT": {"scoreThreshold": 0.06}, "THREAT": {"scoreThreshold": 0.05}}});
    let json = server.analyze(&body).await.ok();
    assert_eq!(json["attributeScores"]["TOXICITY"]["summaryScore"]["value"], 0.5);
    // Below its threshold an attribute is there, without a value.
    assert_eq!(json["attributeScores"]["INSULT"], json!({}));
    assert!(json["attributeScores"]["THREAT"]["summaryScore"]["value"].is_f64());
}

#[tokio::test]
async fn limits_of_nothing_are_refused_before_anything_is_served() {
    let config = ServerConfig::default().with_max_request_bytes(0);
    let error = Server::new(Arc::new(Lengths::new()), config).unwrap_err();
    assert_eq!(error.key(), Some("max_request_bytes"));
}

#[test]
fn a_server_outside_of_a_runtime_is_an_error() {
    let error = Server::new(Arc::new(Lengths::new()), ServerConfig::default()).unwrap_err();
    assert!(error.remedy().unwrap().contains("tokio runtime"), "{error}");
}
