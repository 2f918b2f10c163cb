//! What goes over the wire between a client and Perspective API, or anything that copies it.
//!
//! One method is spoken: `POST /v1alpha1/comments:analyze?key=KEY`, an [`AnalyzeRequest`] in, an
//! [`AnalyzeResponse`] or an [`ErrorEnvelope`] out. Names, fields and error types are those of the
//! service's discovery document (revision 20260504) and its developer pages.
//!
//! Both directions serialise, so that a server can be built of the same types. A reader is lenient:
//! every field of a response may be missing, `null` is missing, unknown fields are passed over, and
//! a request's fields may be written in snake case, as the service's JSON mapping allows.

mod attributes;
mod error;
mod null;
mod request;
mod response;
mod span;
mod text;

pub use attributes::{ATTRIBUTES, AttributeKind, KnownAttribute, known_attribute};
pub use error::{ErrorDetail, ErrorEnvelope, ErrorType, GoogleError, LanguageError, status};
pub use request::{
    AnalyzeRequest, Article, Context, RequestedAttribute, ScoreType, TextEntry, TextType,
};
pub use response::{AnalyzeResponse, AttributeScores, Score, SpanScore};
pub use span::{bytes_of_utf16, utf16_of_bytes};
pub use text::{MAX_TEXT_BYTES, cut_to_limit, fits};

/// Where the service is, until it ends on 31 December 2026.
pub const ENDPOINT: &str = "https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze";
