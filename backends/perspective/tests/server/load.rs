//! Many clients at once, clients that leave, and the end.

use std::sync::Arc;
use std::time::Duration;

use detoxlm_perspective::server::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::scorer::Lengths;
use crate::support::{ANALYZE, JSON, Running};

fn about(text: &str) -> Value {
    json!({"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}},
           "clientToken": text.len().to_string()})
}

fn value(json: &Value) -> f64 {
    json["attributeScores"]["TOXICITY"]["summaryScore"]["value"].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_each_get_their_own_score() {
    let server = Arc::new(Running::default().await);
    let mut clients = JoinSet::new();
    for length in 1..=200_usize {
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let mut client = server.connect().await;
            // A second request on the same connection, about another text.
            for length in [length, 201 - length] {
                let text = "x".repeat(length);
                let body = about(&text).to_string();
                let reply = client.call("POST", ANALYZE, &[JSON], body.as_bytes()).await;
                let json = reply.ok();
                assert_eq!(value(&json), Lengths::toxicity(&text));
                assert_eq!(json["clientToken"], length.to_string());
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let totals = server.server.totals();
    assert_eq!((totals.scored, totals.requests()), (400, 400));
}

#[tokio::test]
async fn a_full_queue_says_429_and_when_to_ask_again() {
    let gate = Arc::new(Semaphore::new(0));
    let config = ServerConfig::default().with_queue(2).with_linger(Duration::ZERO);
    let server = Running::start(Lengths::held(&gate), config).await;
    let mut clients = Vec::new();
    // The first is with the scorer, the next two wait.
    for (text, waiting) in [("a", 0), ("bb", 1), ("ccc", 2)] {
        let mut client = server.connect().await;
        client.send("POST", ANALYZE, &[JSON], about(text).to_string().as_bytes()).await;
        if waiting > 0 {
            server.until_waiting(waiting).await;
        } else {
            sleep(Duration::from_millis(50)).await;
        }
        clients.push((client, text));
    }
    let reply = server.analyze(&about("dddd")).await;
    let error = reply.refused(429, "RESOURCE_EXHAUSTED");
    assert_eq!(error["details"][0]["reason"], "RATE_LIMIT_EXCEEDED");
    assert_eq!(reply.headers["retry-after"], "1");
    gate.add_permits(100);
    for (mut client, text) in clients {
        assert_eq!(value(&client.read().await.ok()), Lengths::toxicity(text));
    }
    server.analyze(&about("dddd")).await.ok();
    let totals = server.server.totals();
    assert_eq!((totals.scored, totals.overflowed), (4, 1));
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_text_along() {
    let gate = Arc::new(Semaphore::new(0));
    let config = ServerConfig::default().with_queue(1).with_linger(Duration::ZERO);
    let server = Running::start(Lengths::held(&gate), config).await;
    let mut first = server.connect().await;
    first.send("POST", ANALYZE, &[JSON], about("a").to_string().as_bytes()).await;
    sleep(Duration::from_millis(50)).await;
    let mut leaves = server.connect().await;
    leaves.send("POST", ANALYZE, &[JSON], about("bb").to_string().as_bytes()).await;
    server.until_waiting(1).await;
    drop(leaves);
    server.until_waiting(0).await;
    let mut next = server.connect().await;
    next.send("POST", ANALYZE, &[JSON], about("ccc").to_string().as_bytes()).await;
    server.until_waiting(1).await;
    gate.add_permits(100);
    assert_eq!(value(&first.read().await.ok()), Lengths::toxicity("a"));
    assert_eq!(value(&next.read().await.ok()), Lengths::toxicity("ccc"));
    assert_eq!(server.server.totals().requests(), 2);
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way_and_takes_nothing_new() {
    let gate = Arc::new(Semaphore::new(0));
    let mut server = Running::start(Lengths::held(&gate), ServerConfig::default()).await;
    let mut idle = server.connect().await;
    idle.call("GET", "/health", &[], b"").await.ok();
    let mut client = server.connect().await;
    client.send("POST", ANALYZE, &[JSON], about("a").to_string().as_bytes()).await;
    sleep(Duration::from_millis(50)).await;
    server.stop();
    // Idle connections are closed at once, new ones refused; the one with a request is kept.
    assert_eq!(idle.stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
    assert!(timeout(Duration::from_millis(100), &mut server.done).await.is_err());
    gate.add_permits(1);
    assert_eq!(value(&client.read().await.ok()), Lengths::toxicity("a"));
    assert!(server.done.await.unwrap(), "all of it was finished");
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let gate = Arc::new(Semaphore::new(0));
    let config = ServerConfig::default().with_grace(Duration::from_millis(50));
    let mut server = Running::start(Lengths::held(&gate), config).await;
    let mut client = server.connect().await;
    client.send("POST", ANALYZE, &[JSON], about("a").to_string().as_bytes()).await;
    // Half a request, whose other half never comes.
    let mut half = server.connect().await;
    half.stream.write_all(b"POST /v1alpha1/comm").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop();
    assert!(!server.done.await.unwrap(), "something was left");
    assert_eq!(client.stream.read(&mut [0; 1]).await.unwrap(), 0);
}
