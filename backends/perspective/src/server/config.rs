use std::time::Duration;

use detoxlm_core::{Error, ErrorKind, Result};

use super::RequiredKey;

/// How a server behaves towards its clients.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The key that requests must carry; none by default, and any is accepted.
    pub key: Option<RequiredKey>,
    /// How many texts may wait for the scorer; one more is refused with 429. 4,096 by default.
    pub queue: usize,
    /// How long a text waits for others to go with it in one call. 1 ms by default.
    pub linger: Duration,
    /// The largest request body, in bytes. 4 MiB by default: a text at its limit may be twelve times
    /// as long in escaped JSON, and a batch request holds many.
    pub max_request_bytes: usize,
    /// How long a request may take, its upload included. 60 s by default.
    pub request_timeout: Duration,
    /// How long requests under way may go on after the server was told to stop. 30 s by default.
    pub grace: Duration,
    /// The languages that the scorer knows, as ISO 639-1 or BCP 47; a request for another is refused.
    /// None by default: whatever a client says is taken.
    pub languages: Vec<String>,
    /// Whether a request for an attribute that Perspective has and the scorer lacks is refused. By
    /// default the answer leaves it out, and a header names it; a name that Perspective does not know
    /// either is always refused.
    pub strict_attributes: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            key: None,
            queue: 4096,
            linger: Duration::from_millis(1),
            max_request_bytes: 4 << 20,
            request_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(30),
            languages: Vec::new(),
            strict_attributes: false,
        }
    }
}

impl ServerConfig {
    /// Requires a key.
    #[must_use]
    pub fn with_key(mut self, key: RequiredKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets how many texts may wait.
    #[must_use]
    pub const fn with_queue(mut self, texts: usize) -> Self {
        self.queue = texts;
        self
    }

    /// Sets how long a text waits for others.
    #[must_use]
    pub const fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets the largest request body.
    #[must_use]
    pub const fn with_max_request_bytes(mut self, bytes: usize) -> Self {
        self.max_request_bytes = bytes;
        self
    }

    /// Sets how long a request may take.
    #[must_use]
    pub const fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how long requests under way may go on after the end.
    #[must_use]
    pub const fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the languages that the scorer knows.
    #[must_use]
    pub fn with_languages<L: Into<String>>(
        mut self,
        languages: impl IntoIterator<Item = L>,
    ) -> Self {
        self.languages = languages.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses attributes that the scorer lacks instead of leaving them out.
    #[must_use]
    pub const fn with_strict_attributes(mut self, strict: bool) -> Self {
        self.strict_attributes = strict;
        self
    }

    /// Whether the scorer knows a language: a dialect of one that it knows counts.
    pub(super) fn knows(&self, language: &str) -> bool {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or(tag).to_ascii_lowercase();
        self.languages.is_empty()
            || self.languages.iter().any(|known| {
                known.eq_ignore_ascii_case(language)
                    || known.to_ascii_lowercase() == primary(language)
            })
    }

    /// Checks the numbers.
    pub(super) fn check(&self) -> Result<()> {
        let zero = [
            ("queue", self.queue == 0),
            ("max_request_bytes", self.max_request_bytes == 0),
            ("request_timeout", self.request_timeout.is_zero()),
        ];
        match zero.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((key, _)) => Err(Error::new(
                ErrorKind::InvalidConfig,
                "server",
                "start",
                "nothing could ever be answered",
            )
            .with_key(key)
            .with_remedy("give a number above 0")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_of_a_known_language_is_known() {
        let config = ServerConfig::default().with_languages(["en", "hi-Latn"]);
        for known in ["en", "EN", "en-GB", "hi-latn"] {
            assert!(config.knows(known), "{known}");
        }
        for unknown in ["de", "hi", "e", ""] {
            assert!(!config.knows(unknown), "{unknown}");
        }
        assert!(ServerConfig::default().knows("tlh"));
    }

    #[test]
    fn zeros_are_refused_by_name() {
        let config = ServerConfig::default().with_queue(0);
        assert_eq!(config.check().unwrap_err().key(), Some("queue"));
        assert!(ServerConfig::default().with_linger(Duration::ZERO).check().is_ok());
    }
}
