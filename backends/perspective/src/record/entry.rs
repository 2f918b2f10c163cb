use std::path::Path;
use std::time::SystemTime;

use detoxlm_core::row_store::{KeyedRow, RowKey, RowKind};
use detoxlm_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::date::utc;
use crate::COMPONENT;
use crate::options::Question;
use crate::reply::Reply;

pub(super) const KIND: RowKind = RowKind {
    component: COMPONENT,
    operation: "use a record",
    not_a_row: "not an answer that was recorded",
    remedy: "remove the line: its text is then asked again",
};

/// One line: what was asked, of whom, when, and all that was said. The text itself is not in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The SHA-256 of the request.
    key: String,
    /// The SHA-256 of the text, whole and in UTF-8.
    text_sha256: String,
    /// Where it was asked.
    endpoint: String,
    /// What was asked, but for the text.
    question: Question,
    /// When it was answered.
    date: String,
    /// The HTTP status.
    status: u16,
    /// The answer, as it came.
    response: Value,
}

impl Entry {
    /// The answer to the part of `text` that was asked about.
    pub(super) fn new(
        text: &str,
        asked: &str,
        endpoint: &str,
        question: &Question,
        reply: &Reply,
    ) -> Result<Self> {
        Ok(Self {
            key: key_of(question, asked)?.to_string(),
            text_sha256: text_digest(text),
            endpoint: endpoint.into(),
            question: question.clone(),
            date: utc(SystemTime::now()),
            status: reply.status,
            response: reply.body.clone(),
        })
    }

    pub(super) const fn question(&self) -> &Question {
        &self.question
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What decides the verdict of its text.
    pub(super) fn content(&self) -> String {
        format!("{} {}", self.status, self.response)
    }

    pub(super) fn into_reply(self) -> Reply {
        Reply { status: self.status, body: self.response }
    }

    /// Scores of two services, or of two questions, do not belong in one record.
    pub(super) fn check(&self, path: &Path, endpoint: &str, question: &Question) -> Result<()> {
        let (what, here, there) = if self.endpoint != endpoint {
            ("endpoint", self.endpoint.clone(), endpoint.to_owned())
        } else if self.question != *question {
            ("question", show(&self.question), show(question))
        } else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::Incompatible,
            KIND.component,
            KIND.operation,
            format!("it has answers for {here}, and not for {there}"),
        )
        .with_path(path)
        .with_key(what)
        .with_remedy("ask as it was asked, or keep one record for each"))
    }
}

impl KeyedRow for Entry {
    fn key(&self) -> Option<RowKey> {
        RowKey::from_hex(&self.key)
    }
}

fn show(question: &Question) -> String {
    serde_json::to_string(question).unwrap_or_default()
}

/// The SHA-256 of a request as JSON with its names in order: without the key, and without what
/// changes no score.
pub(super) fn key_of(question: &Question, asked: &str) -> Result<RowKey> {
    let text = serde_json::to_value(question.request(asked)).map(|request| request.to_string());
    let text = text.map_err(|e| {
        Error::new(ErrorKind::Internal, KIND.component, KIND.operation, e.to_string())
            .with_source(e)
    })?;
    Ok(RowKey::from(sha256(text.as_bytes())))
}

/// The plain SHA-256 of a text, as `sha256sum` shows it.
pub(super) fn text_digest(text: &str) -> String {
    RowKey::from(sha256(text.as_bytes())).to_string()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
