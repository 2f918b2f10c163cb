use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::null;

/// The `status` of Google's errors, as `google.rpc.Code` names them.
pub mod status {
    /// HTTP 400: the request is wrong, whenever it is sent.
    pub const INVALID_ARGUMENT: &str = "INVALID_ARGUMENT";
    /// HTTP 403: this key may not.
    pub const PERMISSION_DENIED: &str = "PERMISSION_DENIED";
    /// HTTP 429: too many requests in this minute.
    pub const RESOURCE_EXHAUSTED: &str = "RESOURCE_EXHAUSTED";
    /// HTTP 500.
    pub const INTERNAL: &str = "INTERNAL";
    /// HTTP 503.
    pub const UNAVAILABLE: &str = "UNAVAILABLE";
}

/// The body of every answer that is not a success: `{"error": {...}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: GoogleError,
}

/// Google's error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoogleError {
    /// The HTTP status.
    #[serde(deserialize_with = "null::as_default")]
    pub code: u16,
    /// One sentence.
    #[serde(deserialize_with = "null::as_default")]
    pub message: String,
    /// One of [`status`].
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// More, in structures of several kinds.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ErrorType {
    /// The text is over the limit.
    CommentTooLong,
    /// There is no text.
    CommentEmpty,
    /// No attribute is wanted.
    NoRequestedAttributes,
    /// An attribute does not support the language that was told or detected.
    LanguageNotSupportedByAttribute,
    /// No language was detected.
    LanguageDetectionFailed,
    /// Anything else.
    InvalidRequest,
    /// Nothing, or a name that is not known.
    #[default]
    #[serde(other)]
    ErrorTypeUnspecified,
}

/// A part of an error: one of the service's own, or one of Google's general kinds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ErrorDetail {
    /// The name of the kind.
    #[serde(rename = "@type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// What is wrong, in a detail of the service's own kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// Which attribute and language do not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_not_supported_by_attribute_error: Option<LanguageError>,
    /// What other kinds hold, such as `reason` and `metadata` of `google.rpc.ErrorInfo`.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// An attribute and the languages that it does not support.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LanguageError {
    /// Those that the service detected, when none was told.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub detected_languages: Vec<String>,
    /// Those that it was told.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub requested_languages: Vec<String>,
    /// The attribute.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "String::is_empty")]
    pub attribute: String,
}

impl ErrorEnvelope {
    /// An error without details.
    #[must_use]
    pub fn new(code: u16, status: &str, message: impl Into<String>) -> Self {
        let error = GoogleError {
            code,
            status: status.into(),
            message: message.into(),
            ..GoogleError::default()
        };
        Self { error }
    }

    /// HTTP 400 of the service's own kind.
    #[must_use]
    pub fn invalid(error_type: ErrorType, message: impl Into<String>) -> Self {
        Self::new(400, status::INVALID_ARGUMENT, message).with_detail(ErrorDetail {
            error_type: Some(error_type),
            ..ErrorDetail::of_kind(ErrorDetail::ANALYZE)
        })
    }

    /// HTTP 400 for an attribute that does not support a language that was told.
    #[must_use]
    pub fn unsupported_language(attribute: &str, requested: &[String]) -> Self {
        let message = format!(
            "Attribute {attribute} does not support request languages: {}",
            requested.join(", ")
        );
        Self::new(400, status::INVALID_ARGUMENT, message).with_detail(ErrorDetail {
            error_type: Some(ErrorType::LanguageNotSupportedByAttribute),
            language_not_supported_by_attribute_error: Some(LanguageError {
                requested_languages: requested.to_vec(),
                attribute: attribute.into(),
                ..LanguageError::default()
            }),
            ..ErrorDetail::of_kind(ErrorDetail::ANALYZE)
        })
    }

    /// HTTP 429 for a key that may ask `per_minute` times a minute.
    #[must_use]
    pub fn rate_limited(per_minute: u64) -> Self {
        let mut metadata = Map::new();
        metadata.insert("quota_limit".into(), "AnalyzeRequestsPerMinutePerProject".into());
        metadata.insert("quota_limit_value".into(), per_minute.to_string().into());
        metadata.insert("service".into(), "commentanalyzer.googleapis.com".into());
        let mut detail = ErrorDetail::of_kind(ErrorDetail::INFO);
        detail.fields.insert("reason".into(), "RATE_LIMIT_EXCEEDED".into());
        detail.fields.insert("domain".into(), "googleapis.com".into());
        detail.fields.insert("metadata".into(), Value::Object(metadata));
        let message = "Quota exceeded for quota metric 'Analyze requests' and limit \
                       'Analyze requests per minute'.";
        Self::new(429, status::RESOURCE_EXHAUSTED, message).with_detail(detail)
    }

    /// Adds a detail.
    #[must_use]
    pub fn with_detail(mut self, detail: ErrorDetail) -> Self {
        self.error.details.push(detail);
        self
    }
}

impl GoogleError {
    /// What the service's own detail says is wrong.
    #[must_use]
    pub fn error_type(&self) -> Option<ErrorType> {
        self.details.iter().find_map(|detail| detail.error_type)
    }

    /// Which attribute and language do not fit, if that is what is wrong.
    #[must_use]
    pub fn language(&self) -> Option<&LanguageError> {
        self.details
            .iter()
            .find_map(|detail| detail.language_not_supported_by_attribute_error.as_ref())
    }
}

impl ErrorDetail {
    /// The kind of the service's own details.
    pub const ANALYZE: &str = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error";
    /// Google's general kind with a `reason`, a `domain` and `metadata`.
    pub const INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

    /// A detail of a kind, otherwise empty.
    #[must_use]
    pub fn of_kind(kind: &str) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unsupported_language_is_as_the_service_writes_it() {
        let value = json!({"error": {
            "code": 400,
            "message": "Attribute THREAT does not support request languages: und",
            "status": "INVALID_ARGUMENT",
            "details": [{
                "@type": "type.googleapis.com/google.commentanalyzer.v1alpha1.Error",
                "errorType": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
                "languageNotSupportedByAttributeError":
                    {"requestedLanguages": ["und"], "attribute": "THREAT"}
            }]
        }});
        let envelope = ErrorEnvelope::unsupported_language("THREAT", &["und".into()]);
        assert_eq!(serde_json::to_value(&envelope).unwrap(), value);
        let read: ErrorEnvelope = serde_json::from_value(value).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(read.error.error_type(), Some(ErrorType::LanguageNotSupportedByAttribute));
        assert_eq!(read.error.language().unwrap().attribute, "THREAT");
    }

    #[test]
    fn googles_other_details_come_back_whole() {
        let envelope = ErrorEnvelope::rate_limited(60);
        let value = serde_json::to_value(&envelope).unwrap();
        assert_eq!(value["error"]["details"][0]["metadata"]["quota_limit_value"], "60");
        assert_eq!(serde_json::from_value::<ErrorEnvelope>(value).unwrap(), envelope);
        assert_eq!(envelope.error.error_type(), None);
        let help = json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.Help",
                         "links": [{"description": "d", "url": "u"}]}]}});
        let read: ErrorEnvelope = serde_json::from_value(help.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), help);
    }

    #[test]
    fn only_the_envelope_is_needed() {
        let read: ErrorEnvelope =
            serde_json::from_value(json!({"error": {"details": [{"errorType": "NEW"}]}})).unwrap();
        assert_eq!(read.error.error_type(), Some(ErrorType::ErrorTypeUnspecified));
        assert_eq!(read.error.message, "");
        assert!(serde_json::from_value::<ErrorEnvelope>(json!({})).is_err());
    }
}
