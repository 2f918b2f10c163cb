//! Every way to say no, in Google's error envelope.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use detoxlm_core::{Error, ErrorKind, Unscored};

use super::answer::Answer;
use crate::protocol::{
    ErrorDetail, ErrorEnvelope, ErrorType, LanguageError, MAX_TEXT_BYTES, status,
};

const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
const FAILED_PRECONDITION: &str = "FAILED_PRECONDITION";
const NOT_FOUND: &str = "NOT_FOUND";
const UNIMPLEMENTED: &str = "UNIMPLEMENTED";

/// After how many seconds to ask again what may be answered then.
const SOON: HeaderValue = HeaderValue::from_static("1");

fn invalid(error_type: ErrorType, message: impl Into<String>) -> Answer {
    Answer::refusal(&ErrorEnvelope::invalid(error_type, message))
}

pub(super) fn malformed(message: impl Into<String>) -> Answer {
    Answer::refusal(&ErrorEnvelope::new(400, status::INVALID_ARGUMENT, message))
}

pub(super) fn empty_comment() -> Answer {
    invalid(ErrorType::CommentEmpty, "Comment must be non-empty.")
}

pub(super) fn long_comment(bytes: usize) -> Answer {
    let message = format!("Comment text too long: {bytes} bytes, at most {MAX_TEXT_BYTES}.");
    invalid(ErrorType::CommentTooLong, message)
}

pub(super) fn not_plain_text() -> Answer {
    invalid(ErrorType::InvalidRequest, "Only PLAIN_TEXT comments are supported.")
}

pub(super) fn no_attributes() -> Answer {
    invalid(ErrorType::NoRequestedAttributes, "Missing requested_attributes.")
}

/// `has` are the attributes that there are.
pub(super) fn unknown_attribute(name: &str, has: &[String]) -> Answer {
    let message = format!("Unknown requested attribute: {name}. Available: {}.", has.join(", "));
    invalid(ErrorType::InvalidRequest, message)
}

pub(super) fn not_a_probability(attribute: &str) -> Answer {
    let message = format!("Score type of {attribute} not supported: only PROBABILITY is.");
    invalid(ErrorType::InvalidRequest, message)
}

pub(super) fn unsupported_language(attribute: &str, requested: &[String]) -> Answer {
    Answer::refusal(&ErrorEnvelope::unsupported_language(attribute, requested))
}

/// A text without scores: the request is answered, and asking again would change nothing.
pub(super) fn unscored(unscored: &Unscored, text: &str, attribute: &str) -> Answer {
    match unscored {
        Unscored::Blank => empty_comment(),
        Unscored::TooLong => invalid(
            ErrorType::CommentTooLong,
            format!("Comment text too long for this scorer: {} bytes.", text.len()),
        ),
        Unscored::Language(language) => {
            let message =
                format!("Attribute {attribute} does not support request languages: {language}");
            let detail = ErrorDetail {
                error_type: Some(ErrorType::LanguageNotSupportedByAttribute),
                language_not_supported_by_attribute_error: Some(LanguageError {
                    detected_languages: vec![language.clone()],
                    attribute: attribute.to_owned(),
                    ..LanguageError::default()
                }),
                ..ErrorDetail::of_kind(ErrorDetail::ANALYZE)
            };
            let envelope = ErrorEnvelope::new(400, status::INVALID_ARGUMENT, message);
            Answer::refusal(&envelope.with_detail(detail))
        }
        why => without_value(&why.to_string()),
    }
}

/// The scorer gave nothing of what was asked for.
pub(super) fn without_value(why: &str) -> Answer {
    let message = format!("The scorer gave this comment no value: {why}.");
    Answer::refusal(&ErrorEnvelope::new(400, FAILED_PRECONDITION, message))
}

/// A call of the scorer that failed.
pub(super) fn failed(error: &Error) -> Answer {
    let message = format!("The scorer failed: {}.", error.message());
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Cancelled => {
            Answer::refusal(&ErrorEnvelope::new(503, status::UNAVAILABLE, message))
                .with_header(header::RETRY_AFTER, SOON)
        }
        _ => Answer::refusal(&ErrorEnvelope::new(500, status::INTERNAL, message)),
    }
}

pub(super) fn queue_full(capacity: usize) -> Answer {
    let message = format!("{capacity} texts are waiting for the scorer already; ask again later.");
    let mut detail = ErrorDetail::of_kind(ErrorDetail::INFO);
    detail.fields.insert("reason".into(), "RATE_LIMIT_EXCEEDED".into());
    detail.fields.insert("domain".into(), "detoxlm".into());
    let envelope = ErrorEnvelope::new(429, status::RESOURCE_EXHAUSTED, message);
    Answer::refusal(&envelope.with_detail(detail)).with_header(header::RETRY_AFTER, SOON)
}

pub(super) fn large_request(limit: usize) -> Answer {
    let message = format!("Request payload size exceeds the limit: {limit} bytes.");
    Answer::refusal(&ErrorEnvelope::new(413, status::INVALID_ARGUMENT, message))
}

pub(super) fn slow_request(limit: Duration) -> Answer {
    let message = format!("The request was not answered within {limit:?}.");
    Answer::refusal(&ErrorEnvelope::new(504, DEADLINE_EXCEEDED, message))
}

pub(super) fn wrong_key() -> Answer {
    let message = "API key not valid. Please pass a valid API key.";
    Answer::refusal(&ErrorEnvelope::new(403, status::PERMISSION_DENIED, message))
}

pub(super) fn no_training() -> Answer {
    let message = "This server does not collect suggested scores.";
    Answer::refusal(&ErrorEnvelope::new(501, UNIMPLEMENTED, message))
}

pub(super) fn not_found() -> Answer {
    let message = "Not here. Try POST /v1alpha1/comments:analyze, POST /batch, \
                   GET /$discovery/rest or GET /health.";
    Answer::refusal(&ErrorEnvelope::new(404, NOT_FOUND, message))
}

pub(super) fn wrong_method() -> Answer {
    Answer::refusal(&ErrorEnvelope::new(405, UNIMPLEMENTED, "Not by this method."))
}
