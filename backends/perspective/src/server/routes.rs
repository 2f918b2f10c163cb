//! Which request goes where, and what all of them have in common: key, size and time.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Response, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::time::timeout;

use super::answer::Answer;
use super::app::App;
use super::{ANALYZE, KEY_HEADER, SUGGEST_SCORE, analyze, batch, discovery, multipart, refusal};

/// Names the scorer, its version and the digest of what its scores depend on.
const SCORER: HeaderName = HeaderName::from_static("x-detoxlm-scorer");

/// How many times the size limit is read and thrown away, so that a client that is still writing
/// lives to read the refusal.
const DISCARD: usize = 8;

pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(ANALYZE, post(analyze_comment))
        .route(SUGGEST_SCORE, post(async || refusal::no_training().into_response()))
        .route("/batch", post(batch_of_comments))
        .route("/$discovery/rest", get(describe))
        .route("/discovery/v1/apis/commentanalyzer/v1alpha1/rest", get(describe))
        .route("/health", get(health))
        .fallback(async || refusal::not_found().into_response())
        .method_not_allowed_fallback(async || refusal::wrong_method().into_response())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), within_time))
        .with_state(app)
}

async fn within_time(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let limit = app.config.request_timeout;
    let mut response = timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let answer = refusal::slow_request(limit);
        app.count(&answer);
        answer.into_response()
    });
    response.headers_mut().insert(SCORER, app.signature.clone());
    response
}

async fn analyze_comment(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let answer = match admitted_body(&app, request).await {
        Ok(body) => analyze::analyze(&app, &body).await,
        Err(refusal) => refusal,
    };
    app.count(&answer);
    answer.into_response()
}

async fn admitted_body(app: &App, request: Request) -> Result<Vec<u8>, Answer> {
    let key =
        key_of(request.uri().query().unwrap_or_default(), text(request.headers(), KEY_HEADER));
    if !app.admits(key.as_deref()) {
        return Err(refusal::wrong_key());
    }
    read(request.into_body(), app.config.max_request_bytes).await
}

/// The keys are in the parts.
async fn batch_of_comments(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let kind = text(request.headers(), header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let Some(boundary) = multipart::boundary(kind).map(str::to_owned) else {
        let why = "A batch is a multipart/mixed body with a boundary.";
        return refusal::malformed(why).into_response();
    };
    match read(request.into_body(), app.config.max_request_bytes).await {
        Ok(body) => batch::answer(&app, &body, &boundary).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn describe(headers: HeaderMap) -> Response<Body> {
    let answer = match discovery::document(&headers) {
        Some(document) => Answer::ok(&document),
        None => refusal::malformed("No usable Host header."),
    };
    answer.into_response()
}

async fn health(State(app): State<Arc<App>>) -> Response<Body> {
    let queue = app.gather.queue();
    let body = json!({
        "status": "ok",
        "scorer": app.scorer,
        "attributes": app.attributes,
        "queue": {"waiting": queue.depth(), "capacity": queue.capacity()},
        "totals": app.totals(),
    });
    Answer::ok(&body).into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Reads a body of at most `limit` bytes.
async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Answer> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    let mut length = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| refusal::malformed("The request body broke off."))?;
        length = length.saturating_add(chunk.len());
        if length <= limit {
            whole.extend_from_slice(&chunk);
        } else if length > limit.saturating_mul(DISCARD) {
            break;
        } else {
            whole = Vec::new();
        }
    }
    if length > limit { Err(refusal::large_request(limit)) } else { Ok(whole) }
}

/// The key of a request: `key` in its query, or Google's header.
pub(super) fn key_of<'a>(query: &'a str, header: Option<&'a str>) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == "key").then_some(value))
        .or_else(|| header.map(Cow::Borrowed))
}
