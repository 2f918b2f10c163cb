//! What both scorers ask alike.

use detoxlm_core::remote::http::{HttpClient, HttpOptions, KeyPlace};
use detoxlm_core::remote::{Asker, Attempt, Outcome, Patience, Received, Secret, StatusClass};
use detoxlm_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{COMPONENT, KEY_VARIABLE};

/// How a server is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The address below which the protocol's paths are, such as `https://api.openai.com/v1`.
    pub base: String,
    /// The model's name there.
    pub model: String,
    /// Headers, time and size of answers.
    pub http: HttpOptions,
    /// The most requests a second, tries included; no limit by default.
    pub requests_per_second: Option<f64>,
    /// The most requests under way at once; 8 by default.
    pub concurrency: usize,
    /// How often to ask, and how long to wait.
    pub patience: Patience,
}

impl ServerOptions {
    /// A server and the name of a model there.
    #[must_use]
    pub fn new(base: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            model: model.into(),
            http: HttpOptions::default(),
            requests_per_second: None,
            concurrency: 8,
            patience: Patience::default(),
        }
    }
}

/// A path of a server, and the pace at which it is asked.
#[derive(Debug)]
pub(crate) struct Server {
    client: HttpClient,
    asker: Asker,
}

impl Server {
    pub(crate) fn open(key: Option<Secret>, options: &ServerOptions, path: &str) -> Result<Self> {
        if options.model.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "open the service",
                "no model is named",
            )
            .with_key("model")
            .with_remedy("a server lists its models at /v1/models"));
        }
        let endpoint = format!("{}/{path}", options.base.trim_end_matches('/'));
        let client = HttpClient::new(COMPONENT, &endpoint, key, KeyPlace::Bearer, &options.http)?;
        let asker = Asker::new(
            COMPONENT,
            options.concurrency,
            options.requests_per_second,
            options.patience,
        )?;
        Ok(Self { client, asker })
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.client.endpoint()
    }

    /// Answers to so many requests, each asked by itself: `Ok` is an answer of the shape that is
    /// expected, `Err` why this request was refused for good.
    pub(crate) async fn ask_each<Q: Serialize + Sync, A: DeserializeOwned + Send>(
        &self,
        requests: &[Q],
    ) -> Result<Vec<Outcome<Result<A, String>>>> {
        self.asker
            .ask_each(requests.len(), |index| async move {
                match self.client.post(&requests[index]).await {
                    Ok(received) => self.judge(&received),
                    Err(attempt) => attempt,
                }
            })
            .await
    }

    fn judge<A: DeserializeOwned>(&self, received: &Received) -> Attempt<Result<A, String>> {
        let redaction = self.client.redaction();
        let message = redaction.text(&message(&received.body));
        let denied = format!("check the key in {KEY_VARIABLE}, and what it may use");
        let elsewhere =
            "check the address, which ends in /v1 with most servers, and the model's name";
        if let Some(failure) =
            received.failure(COMPONENT, redaction, &message, [&denied, elsewhere])
        {
            return failure;
        }
        if received.class() == StatusClass::Refused {
            return Attempt::Done(Err(received.describe(&message)));
        }
        match serde_json::from_slice(&received.body) {
            Ok(answer) => Attempt::Done(Ok(answer)),
            Err(e) => {
                let why = format!("the answer is of another shape: {e}");
                Attempt::Passing { why: redaction.text(&why), wait: None }
            }
        }
    }
}

/// What a server says went wrong: `{"error": {"message": ...}}`, as OpenAI, or `{"message": ...}`, as some
/// of those that copy it.
fn message(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = body.pointer("/error/message").or_else(|| body.get("message"));
    message.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}
