//! Both scorers against a server that answers, refuses and breaks.

mod faults;
mod judge;
mod moderation;
mod server;

use std::time::Duration;

use detoxlm_core::layers::Backoff;
use detoxlm_core::remote::Patience;
use detoxlm_core::{Sample, ToxicityScorer, Verdict};
use detoxlm_openai::{ModerationOptions, ServerOptions};
use serde_json::{Value, json};
use server::{Answer, Request};

/// Tries three times without waiting.
fn impatient() -> Patience {
    let pause = Duration::from_millis(1);
    Patience {
        backoff: Backoff { tries: 3, first: pause, longest: pause },
        longest_wait: Duration::from_secs(60),
    }
}

fn options(base: &str) -> ModerationOptions {
    let mut server = ServerOptions::new(base, "a-model");
    server.patience = impatient();
    ModerationOptions::new(base).with_server(server)
}

/// Louder is worse: the share of capitals.
fn value(text: &str) -> f64 {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count().max(1);
    text.chars().filter(|c| c.is_uppercase()).count() as f64 / letters as f64
}

fn moderated(request: &Request) -> Answer {
    let text = request.body["input"].as_str().unwrap();
    let scores = json!({"harassment": value(text), "harassment/threatening": 0.0, "hate": 0.0,
        "hate/threatening": 0.0, "sexual": 0.01, "violence": 0.2});
    Answer::new(
        200,
        json!({"model": "a-model", "results": [{"flagged": false, "category_scores": scores}]}),
    )
}

async fn score(scorer: &dyn ToxicityScorer, texts: &[&str]) -> Vec<Verdict> {
    let samples: Vec<_> = texts.iter().map(|text| Sample::new(*text)).collect();
    scorer.score(&samples).await.unwrap()
}

fn message(text: &str) -> Value {
    json!({"error": {"message": text, "type": "invalid_request_error"}})
}
