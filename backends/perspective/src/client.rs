//! One request and its answer over HTTP.

use std::error::Error as _;
use std::fmt;

use detoxlm_core::remote::{Attempt, Redaction, Secret};
use detoxlm_core::{Error, ErrorKind, Result};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client as Http, Response, Url, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};

use crate::protocol::{AnalyzeRequest, ENDPOINT};
use crate::reply::{Received, Reply};
use crate::{COMPONENT, KEY_VARIABLE, PerspectiveOptions};

/// Sends requests to one endpoint with one key.
pub(crate) struct Client {
    http: Http,
    /// With the key: never shown.
    url: Url,
    endpoint: String,
    redaction: Redaction,
    longest_answer: usize,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(key: Option<Secret>, options: &PerspectiveOptions) -> Result<Self> {
        let mut url = endpoint(&options.endpoint)?;
        let endpoint = url.to_string();
        match &key {
            Some(key) => {
                check_privacy(&url)?;
                url.query_pairs_mut().append_pair("key", key.expose());
            }
            None if endpoint == ENDPOINT => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    COMPONENT,
                    "open the service",
                    "Perspective API answers to no one without a key",
                )
                .with_key(KEY_VARIABLE)
                .with_remedy(format!(
                    "set {KEY_VARIABLE}; there are no new keys, and the service ends on 2026-12-31: \
                     without one use a local scorer, a replacement's endpoint, or replay a record"
                )));
            }
            None => {}
        }
        // reqwest panics without a provider. One that the program installed stays.
        if CryptoProvider::get_default().is_none() {
            let _ = ring::default_provider().install_default();
        }
        let http = Http::builder()
            .default_headers(headers(options)?)
            .user_agent(concat!("detoxlm/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // Tries are counted and paced by the asker.
            .retry(retry::never())
            .timeout(options.timeout)
            .build()
            .map_err(|e| {
                let e = e.without_url();
                Error::new(ErrorKind::Internal, COMPONENT, "open the service", e.to_string())
                    .with_source(e)
            })?;
        let secrets = key.into_iter().chain(options.secret_headers.values().cloned());
        Ok(Self {
            http,
            url,
            endpoint,
            redaction: Redaction::new(secrets),
            longest_answer: options.longest_answer,
        })
    }

    /// Where it asks, without the key.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Asks once.
    pub(crate) async fn ask(&self, request: &AnalyzeRequest) -> Attempt<Reply> {
        let body = match serde_json::to_vec(request) {
            Ok(body) => body,
            Err(e) => return Attempt::Hopeless(format!("the request cannot be written: {e}")),
        };
        let post = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let mut response = match post.body(body).send().await {
            Ok(response) => response,
            Err(e) => return self.failed(e),
        };
        let body = match self.read(&mut response).await {
            Ok(Some(body)) => body,
            // A failure is a failure, however long its page.
            Ok(None) if !response.status().is_success() => Vec::new(),
            Ok(None) => {
                let why = format!("the answer is over {} bytes", self.longest_answer);
                return Attempt::Hopeless(why);
            }
            Err(e) => return self.failed(e),
        };
        let header =
            |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Received {
            status: response.status().as_u16(),
            content_type: header(CONTENT_TYPE),
            retry_after: header(RETRY_AFTER),
            location: header(LOCATION),
            body: &body,
        }
        .judge(&self.redaction)
    }

    /// The body; `None` when it is over the limit.
    async fn read(&self, response: &mut Response) -> reqwest::Result<Option<Vec<u8>>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > self.longest_answer {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }

    /// No connection, or one that broke: both may pass.
    fn failed(&self, e: reqwest::Error) -> Attempt<Reply> {
        let e = e.without_url();
        let mut why = if e.is_timeout() { "no answer in time".to_owned() } else { e.to_string() };
        let mut source = e.source();
        while let Some(cause) = source {
            let cause_line = cause.to_string();
            if !why.contains(&cause_line) {
                why = format!("{why}: {cause_line}");
            }
            source = cause.source();
        }
        Attempt::Passing { why: self.redaction.text(&why), wait: None }
    }
}

fn refuse(key: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "open the service", message.into())
        .with_key(key)
}

/// The address, which holds no secret. It is not repeated in errors: it may hold one nevertheless.
fn endpoint(text: &str) -> Result<Url> {
    let remedy = format!("write it as {ENDPOINT}");
    let refuse = |message: String| refuse("endpoint", message).with_remedy(remedy.clone());
    let url = Url::parse(text).map_err(|e| refuse(format!("it is not an address: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse("it is not an address of http or https".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a name or a password: give them as a secret header".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it ends in a query: the key is given by itself".into()));
    }
    Ok(url)
}

/// A key goes over the network encrypted, or not at all.
fn check_privacy(url: &Url) -> Result<()> {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost"
        || host.ends_with(".localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if url.scheme() == "https" || is_here {
        return Ok(());
    }
    Err(refuse("endpoint", "everybody on the way could read the key")
        .with_remedy("use https, or, if the service needs no key, ask without one"))
}

fn headers(options: &PerspectiveOptions) -> Result<HeaderMap> {
    let open = options.headers.iter().map(|(name, value)| (name, value.as_str(), false));
    let secret = options.secret_headers.iter().map(|(name, value)| (name, value.expose(), true));
    let mut headers = HeaderMap::new();
    for (name, value, is_secret) in open.chain(secret) {
        let bad = |what| refuse("headers", format!("{name:?} {what}"));
        let name = HeaderName::try_from(name).map_err(|_| bad("is not the name of a header"))?;
        let mut value =
            HeaderValue::try_from(value).map_err(|_| bad("has a value that no header has"))?;
        value.set_sensitive(is_secret);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(key: Option<&str>, endpoint: &str) -> Result<Client> {
        let key = key.map(|key| Secret::new(key).unwrap());
        Client::new(key, &PerspectiveOptions::default().with_endpoint(endpoint))
    }

    #[test]
    fn a_key_goes_nowhere_in_the_clear_and_is_shown_nowhere() {
        let key = Some("AIza-secret-key");
        for endpoint in [ENDPOINT, "http://localhost:1/a", "http://127.0.0.1:1/", "http://[::1]/"] {
            let client = open(key, endpoint).unwrap();
            assert!(!format!("{client:?}").contains("AIza"));
            assert!(!client.endpoint().contains("AIza"));
        }
        let error = open(key, "http://example.org/").unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("endpoint")));
        open(None, "http://example.org/").unwrap();
    }

    #[test]
    fn an_endpoint_that_is_none_or_holds_a_secret_is_refused_and_not_repeated() {
        for endpoint in [
            "",
            "example.org/AIza-secret",
            "file:///AIza-secret",
            "https://AIza-secret:b@example.org/",
            "https://example.org/?key=AIza-secret",
            "https://example.org/#AIza-secret",
        ] {
            let error = open(None, endpoint).unwrap_err();
            assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("endpoint")));
            assert!(!format!("{error} {error:?}").contains("AIza"), "{error}");
        }
    }

    #[test]
    fn without_a_key_the_service_itself_is_not_asked() {
        let error = open(None, ENDPOINT).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some(KEY_VARIABLE)));
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("2026-12-31")), "{error}");
    }

    #[test]
    fn a_header_that_is_none_is_named_without_its_value() {
        let secret = Secret::new("AIza-secret-key").unwrap();
        let options = PerspectiveOptions::default()
            .with_endpoint("http://localhost/")
            .with_secret_header("not a name", secret);
        let error = Client::new(None, &options).unwrap_err();
        assert!(error.to_string().contains("not a name") && !error.to_string().contains("AIza"));
        let options = PerspectiveOptions::default()
            .with_endpoint("http://localhost/")
            .with_header("x-y", "line\nbreak");
        assert_eq!(Client::new(None, &options).unwrap_err().key(), Some("headers"));
    }
}
