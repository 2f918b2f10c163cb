//! Google's HTTP batches: many requests in one, which RealToxicityPrompts, DExperts and HELM send.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use futures_util::future::join_all;

use super::answer::Answer;
use super::app::App;
use super::multipart::{Part, parse};
use super::{analyze, key_of, refusal};

/// How many requests a batch may hold, as Google has it.
const MAX_PARTS: usize = 1000;

/// Between the parts of an answer. No line of an answer can begin like it.
const BOUNDARY: &str = "batch_detoxlm";

/// Answers the requests of a batch, each on its own.
pub(super) async fn answer(app: &App, body: &[u8], boundary: &str) -> Response<Body> {
    let malformed =
        |why: &str| refusal::malformed(format!("Invalid batch: {why}.")).into_response();
    let parts = match std::str::from_utf8(body) {
        Ok(body) => parse(body, boundary),
        Err(_) => Err("it is not UTF-8"),
    };
    let parts = match parts {
        Ok(parts) if parts.is_empty() => return malformed("it holds no requests"),
        Ok(parts) if parts.len() > MAX_PARTS => return malformed("it holds over 1000 requests"),
        Ok(parts) => parts,
        Err(why) => return malformed(why),
    };
    let answers = join_all(parts.iter().map(|part| answer_part(app, part))).await;
    let mut body = Vec::new();
    for (part, answer) in parts.iter().zip(&answers) {
        body.extend(format!("--{BOUNDARY}\r\nContent-Type: application/http\r\n").into_bytes());
        if let Some(id) = &part.content_id {
            let id = id.trim_start_matches('<').trim_end_matches('>');
            body.extend(format!("Content-ID: <response-{id}>\r\n").into_bytes());
        }
        body.extend(b"\r\n");
        answer.write_to(&mut body);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    let mut response = Response::new(Body::from(body));
    let kind = HeaderValue::from_static("multipart/mixed; boundary=batch_detoxlm");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn answer_part(app: &App, part: &Part<'_>) -> Answer {
    let (path, query) = part.target.split_once('?').unwrap_or((part.target, ""));
    let header = |wanted: &str| {
        let found = part.headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let answer = match (path, part.method) {
        _ if !app.admits(key_of(query, header(super::KEY_HEADER)).as_deref()) => {
            refusal::wrong_key()
        }
        (super::ANALYZE, "POST") => analyze::analyze(app, part.body.as_bytes()).await,
        (super::SUGGEST_SCORE, "POST") => refusal::no_training(),
        (super::ANALYZE | super::SUGGEST_SCORE, _) => refusal::wrong_method(),
        _ => refusal::not_found(),
    };
    app.count(&answer);
    answer
}
