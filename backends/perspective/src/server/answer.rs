//! What a request is answered with, on its own or as a part of a batch.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::protocol::ErrorEnvelope;

/// Names the attributes that were asked for and are not in the answer.
pub(super) const LEFT_OUT: HeaderName = HeaderName::from_static("x-detoxlm-left-out");

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

/// A status, headers and JSON.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    json: Vec<u8>,
}

impl Answer {
    pub(super) fn ok(body: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, body)
    }

    pub(super) fn refusal(envelope: &ErrorEnvelope) -> Self {
        let status = StatusCode::from_u16(envelope.error.code);
        Self::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), envelope)
    }

    fn new(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => Self { status, headers: vec![(header::CONTENT_TYPE, JSON)], json },
            Err(_) => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                headers: vec![(header::CONTENT_TYPE, JSON)],
                json: br#"{"error":{"code":500,"status":"INTERNAL"}}"#.to_vec(),
            },
        }
    }

    #[must_use]
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.json));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }

    /// Writes the answer as an HTTP response inside another one.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        let reason = self.status.canonical_reason().unwrap_or("Unknown");
        out.extend(format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).into_bytes());
        for (name, value) in &self.headers {
            out.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        out.extend(format!("content-length: {}\r\n\r\n", self.json.len()).into_bytes());
        out.extend(&self.json);
    }
}
