//! One question and its answer.

use detoxlm_core::remote::Attempt;
use detoxlm_core::remote::http::{HttpClient, KeyPlace};
use detoxlm_core::{Error, ErrorKind, Result};

use crate::protocol::{AnalyzeRequest, ENDPOINT};
use crate::reply::{Reply, judge};
use crate::{COMPONENT, KEY_VARIABLE, PerspectiveOptions, Secret};

/// Asks one endpoint with one key.
#[derive(Debug)]
pub(crate) struct Client(HttpClient);

impl Client {
    pub(crate) fn new(key: Option<Secret>, options: &PerspectiveOptions) -> Result<Self> {
        if key.is_none() && options.endpoint == ENDPOINT {
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
        let place = KeyPlace::Parameter("key");
        HttpClient::new(COMPONENT, &options.endpoint, key, place, &options.http).map(Self)
    }

    /// Where it asks, without the key.
    pub(crate) fn endpoint(&self) -> &str {
        self.0.endpoint()
    }

    /// Asks once.
    pub(crate) async fn ask(&self, request: &AnalyzeRequest) -> Attempt<Reply> {
        match self.0.post(request).await {
            Ok(received) => judge(&received, self.0.redaction()),
            Err(attempt) => attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_the_service_itself_is_not_asked() {
        let error = Client::new(None, &PerspectiveOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidConfig, Some(KEY_VARIABLE)));
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("2026-12-31")), "{error}");
    }
}
