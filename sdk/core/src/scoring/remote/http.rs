//! The HTTP side of asking a service: one request and its answer. Needs the feature `http`.
//!
//! A key is a [`Secret`]: it is sent to the endpoint over TLS, or to this machine, and shown nowhere, in
//! no error, `Debug` output, record or report; where a service repeats it, it is taken out.
//!
//! TLS is rustls on `ring`. Unless the program installed a `CryptoProvider` of its own, opening a client
//! installs that one for the process.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response, Url, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};
use serde::Serialize;

use super::{Attempt, Received, Redaction, Secret, StatusClass, retry_after};
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "open the service";

/// How requests are sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpOptions {
    /// The time that a request may take, from connecting to the last byte of its answer; 30 s by
    /// default.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes; 8 MiB by default.
    pub longest_answer: usize,
    /// Headers of every request.
    pub headers: BTreeMap<String, String>,
    /// Headers whose values nobody may see.
    pub secret_headers: BTreeMap<String, Secret>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            longest_answer: 8 << 20,
            headers: BTreeMap::new(),
            secret_headers: BTreeMap::new(),
        }
    }
}

/// Where a key goes in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// The header `Authorization: Bearer KEY`.
    Bearer,
    /// A parameter of this name in the address.
    Parameter(&'static str),
}

/// Sends requests to one endpoint with one key. It follows no redirect and asks nothing twice.
pub struct HttpClient {
    http: Client,
    /// Perhaps with the key: never shown.
    url: Url,
    endpoint: String,
    redaction: Redaction,
    longest_answer: usize,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Sends on behalf of `component`, with a key or, where the service needs none, without.
    ///
    /// # Errors
    /// When the endpoint is no address, holds a secret itself, or would carry the key over a network in
    /// the clear, or a header is none. None of their values is repeated.
    pub fn new(
        component: &'static str,
        endpoint: &str,
        key: Option<Secret>,
        place: KeyPlace,
        options: &HttpOptions,
    ) -> Result<Self> {
        let refuse = Refusal(component);
        let mut url = refuse.endpoint(endpoint)?;
        let endpoint = url.to_string();
        let mut headers = refuse.headers(options)?;
        if let Some(key) = &key {
            refuse.privacy(&url)?;
            match place {
                KeyPlace::Parameter(name) => {
                    url.query_pairs_mut().append_pair(name, key.expose());
                }
                KeyPlace::Bearer => {
                    let value = HeaderValue::try_from(format!("Bearer {}", key.expose()));
                    let mut value =
                        value.map_err(|_| refuse.with("key", "no header can hold it"))?;
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
            }
        }
        // reqwest panics without a provider. One that the program installed stays.
        if CryptoProvider::get_default().is_none() {
            let _ = ring::default_provider().install_default();
        }
        let http = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("detoxlm/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // Tries are counted and paced by the asker.
            .retry(retry::never())
            .timeout(options.timeout)
            .build()
            .map_err(|e| {
                let e = e.without_url();
                Error::new(ErrorKind::Internal, component, OPERATION, e.to_string()).with_source(e)
            })?;
        let secrets = key.into_iter().chain(options.secret_headers.values().cloned());
        let redaction = Redaction::new(secrets);
        let longest_answer = options.longest_answer;
        Ok(Self { http, url, endpoint, redaction, longest_answer })
    }

    /// Where it asks, without the key.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What takes its secrets out of what the service sends.
    #[must_use]
    pub const fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Posts JSON once.
    ///
    /// # Errors
    /// What there is in place of an answer: a failure that may pass, or one that will not.
    pub async fn post<T>(&self, request: &(impl Serialize + Sync)) -> Result<Received, Attempt<T>> {
        let body = serde_json::to_vec(request)
            .map_err(|e| Attempt::Hopeless(format!("the request cannot be written: {e}")))?;
        let post = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let mut response = post.body(body).send().await.map_err(|e| self.failed(e))?;
        let status = response.status().as_u16();
        let body = match self.read(&mut response).await.map_err(|e| self.failed(e))? {
            Some(body) => body,
            None if StatusClass::of(status) == StatusClass::Success => {
                let why = format!("the answer is over {} bytes", self.longest_answer);
                return Err(Attempt::Hopeless(why));
            }
            // The status says enough.
            None => Vec::new(),
        };
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        Ok(Received {
            status,
            content_type: header(CONTENT_TYPE).map(str::to_owned),
            retry_after: header(RETRY_AFTER)
                .and_then(|value| retry_after(value, SystemTime::now())),
            location: header(LOCATION).map(str::to_owned),
            body,
        })
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
    fn failed<T>(&self, e: reqwest::Error) -> Attempt<T> {
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

/// Refuses what a client cannot be made of, on behalf of a component.
struct Refusal(&'static str);

impl Refusal {
    fn with(&self, key: &'static str, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::InvalidConfig, self.0, OPERATION, message.into()).with_key(key)
    }

    /// The address, which holds no secret. It is not repeated in errors: it may hold one nevertheless.
    fn endpoint(&self, text: &str) -> Result<Url> {
        let refuse = |message: String| {
            self.with("endpoint", message).with_remedy("write it as https://example.org/path")
        };
        let url = Url::parse(text).map_err(|e| refuse(format!("it is not an address: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(refuse("it is not an address of http or https".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(
                "it holds a name or a password: give them as a secret header".into(),
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it ends in a query: the key is given by itself".into()));
        }
        Ok(url)
    }

    /// A key goes over the network encrypted, or not at all.
    fn privacy(&self, url: &Url) -> Result<()> {
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost"
            || host.ends_with(".localhost")
            || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if url.scheme() == "https" || is_here {
            return Ok(());
        }
        Err(self
            .with("endpoint", "everybody on the way could read the key")
            .with_remedy("use https, or, if the service needs no key, ask without one"))
    }

    fn headers(&self, options: &HttpOptions) -> Result<HeaderMap> {
        let open = options.headers.iter().map(|(name, value)| (name, value.as_str(), false));
        let secret =
            options.secret_headers.iter().map(|(name, value)| (name, value.expose(), true));
        let mut headers = HeaderMap::new();
        for (name, value, is_secret) in open.chain(secret) {
            let bad = |what| self.with("headers", format!("{name:?} {what}"));
            let name =
                HeaderName::try_from(name).map_err(|_| bad("is not the name of a header"))?;
            let mut value =
                HeaderValue::try_from(value).map_err(|_| bad("has a value that no header has"))?;
            value.set_sensitive(is_secret);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AIza-secret-key";

    fn open(key: Option<&str>, endpoint: &str, place: KeyPlace) -> Result<HttpClient> {
        let key = key.map(|key| Secret::new(key).unwrap());
        HttpClient::new("test", endpoint, key, place, &HttpOptions::default())
    }

    #[test]
    fn a_key_goes_nowhere_in_the_clear_and_is_shown_nowhere() {
        for place in [KeyPlace::Bearer, KeyPlace::Parameter("key")] {
            for endpoint in [
                "https://example.org/a",
                "http://localhost:1/a",
                "http://127.0.0.1:1/",
                "http://[::1]/",
            ] {
                let client = open(Some(KEY), endpoint, place).unwrap();
                assert!(!format!("{client:?}").contains("AIza"));
                assert!(!client.endpoint().contains("AIza"));
            }
            let error = open(Some(KEY), "http://example.org/", place).unwrap_err();
            assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("endpoint")));
            open(None, "http://example.org/", place).unwrap();
        }
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
            let error = open(None, endpoint, KeyPlace::Bearer).unwrap_err();
            assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some("endpoint")));
            assert!(!format!("{error} {error:?}").contains("AIza"), "{error}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_named_without_its_value() {
        let open = |options: &HttpOptions| {
            HttpClient::new("test", "http://localhost/", None, KeyPlace::Bearer, options)
        };
        let mut options = HttpOptions::default();
        options.secret_headers.insert("not a name".into(), Secret::new(KEY).unwrap());
        let error = open(&options).unwrap_err();
        assert!(error.to_string().contains("not a name") && !error.to_string().contains("AIza"));
        let mut options = HttpOptions::default();
        options.headers.insert("x-y".into(), "line\nbreak".into());
        assert_eq!(open(&options).unwrap_err().key(), Some("headers"));
    }
}
