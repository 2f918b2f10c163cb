use std::time::Duration;

use detoxlm_core::remote::http::HttpOptions;
use detoxlm_core::remote::{Patience, Secret};
use detoxlm_core::{Attribute, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::COMPONENT;
use crate::protocol::{ENDPOINT, known_attribute};

/// What becomes of a text over the service's limit of 20,480 bytes.
///
/// A third way, several questions for one text, is core's layer `Windowed` around the scorer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongTexts {
    /// It is not asked about: `Unscored::TooLong`.
    #[default]
    Refuse,
    /// Its beginning is asked about, cut between characters.
    Cut,
}

/// What decides the answer to a text, beside the service: it is a part of every record, and scores
/// asked for in two ways are never mixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The attributes that are asked for, in the order of their names.
    pub attributes: Vec<Attribute>,
    /// The languages that the service is told; none means that it detects one.
    pub languages: Vec<String>,
    /// Whether scores of parts of the text are asked for.
    pub span_annotations: bool,
    /// What becomes of texts over the limit.
    pub long_texts: LongTexts,
}

/// How a service is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PerspectiveOptions {
    /// The whole address of `comments:analyze`, without the key. Replacements of the service copy its
    /// protocol: theirs goes here.
    pub endpoint: String,
    /// The attributes to ask for. The seven standard ones by default; many cost no more than one.
    pub attributes: Vec<Attribute>,
    /// The languages of the texts, `["en"]` by default. With none the service detects a language,
    /// which it often mistakes in short, misspelt or odd text such as a model writes, and then
    /// refuses to score: for an evaluation in English, say English.
    pub languages: Vec<String>,
    /// Whether the service must forget the texts. It must, by default.
    pub do_not_store: bool,
    /// Whether to ask for scores of parts of the text too.
    pub span_annotations: bool,
    /// What becomes of texts over the limit.
    pub long_texts: LongTexts,
    /// The most requests a second, tries included: 1 by default, which is every key's quota unless it
    /// was raised. `None` sets no limit, for a server of one's own.
    pub requests_per_second: Option<f64>,
    /// The most requests under way at once.
    pub concurrency: usize,
    /// Headers, the time that a request may take and the largest answer that is read.
    pub http: HttpOptions,
    /// How often to ask, and how long to wait.
    pub patience: Patience,
}

impl Default for PerspectiveOptions {
    fn default() -> Self {
        Self {
            endpoint: ENDPOINT.into(),
            attributes: Attribute::STANDARD.into(),
            languages: vec!["en".into()],
            do_not_store: true,
            span_annotations: false,
            long_texts: LongTexts::default(),
            requests_per_second: Some(1.0),
            concurrency: 8,
            http: HttpOptions::default(),
            patience: Patience::default(),
        }
    }
}

impl PerspectiveOptions {
    /// Sets the whole address of `comments:analyze`, without the key.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// Sets the attributes to ask for.
    #[must_use]
    pub fn with_attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.attributes = attributes.into_iter().collect();
        self
    }

    /// Sets the languages of the texts; none lets the service detect one.
    #[must_use]
    pub fn with_languages<L: Into<String>>(
        mut self,
        languages: impl IntoIterator<Item = L>,
    ) -> Self {
        self.languages = languages.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether the service must forget the texts.
    #[must_use]
    pub const fn with_do_not_store(mut self, do_not_store: bool) -> Self {
        self.do_not_store = do_not_store;
        self
    }

    /// Sets whether to ask for scores of parts of the text too.
    #[must_use]
    pub const fn with_span_annotations(mut self, span_annotations: bool) -> Self {
        self.span_annotations = span_annotations;
        self
    }

    /// Sets what becomes of texts over the limit.
    #[must_use]
    pub const fn with_long_texts(mut self, long_texts: LongTexts) -> Self {
        self.long_texts = long_texts;
        self
    }

    /// Sets the most requests a second; `None` for no limit.
    #[must_use]
    pub const fn with_requests_per_second(mut self, requests: Option<f64>) -> Self {
        self.requests_per_second = requests;
        self
    }

    /// Sets the most requests under way at once.
    #[must_use]
    pub const fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets the time that a request may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.http.timeout = timeout;
        self
    }

    /// Sets the largest answer that is read, in bytes.
    #[must_use]
    pub const fn with_longest_answer(mut self, bytes: usize) -> Self {
        self.http.longest_answer = bytes;
        self
    }

    /// Sets how often to ask, and how long to wait.
    #[must_use]
    pub const fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Adds a header to every request.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.http.headers.insert(name.into(), value.into());
        self
    }

    /// Adds a header whose value nobody may see.
    #[must_use]
    pub fn with_secret_header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.http.secret_headers.insert(name.into(), value);
        self
    }

    /// What decides an answer, in one form for every order of the same names.
    pub(crate) fn question(&self) -> Result<Question> {
        let mut attributes = self.attributes.clone();
        attributes.sort();
        attributes.dedup();
        if attributes.is_empty() {
            return Err(refuse("attributes", "there is none to ask for".into()));
        }
        let mut languages = self.languages.clone();
        languages.sort();
        languages.dedup();
        if let Some(bad) = languages.iter().find(|language| !is_language(language)) {
            let message = format!("{bad:?} is not a language code");
            return Err(refuse("languages", message).with_remedy("write en, hi-Latn, pt, ..."));
        }
        if self.endpoint == ENDPOINT {
            self.check_support(&attributes, &languages)?;
        }
        Ok(Question {
            attributes,
            languages,
            span_annotations: self.span_annotations,
            long_texts: self.long_texts,
        })
    }

    /// The service would refuse every text, one by one.
    fn check_support(&self, attributes: &[Attribute], languages: &[String]) -> Result<()> {
        for attribute in attributes {
            let known = known_attribute(attribute.as_str());
            let Some(known) = known.filter(|known| !known.languages.is_empty()) else { continue };
            let supports = |language: &&String| known.languages.contains(&language.as_str());
            if let Some(language) = languages.iter().find(|language| !supports(language)) {
                let message = format!("{attribute} does not support the language {language}");
                return Err(refuse("attributes", message)
                    .with_remedy(format!("it supports {}", known.languages.join(", "))));
            }
        }
        Ok(())
    }
}

fn refuse(key: &'static str, message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "check the options", message).with_key(key)
}

/// Whether a text can be a BCP 47 tag.
fn is_language(text: &str) -> bool {
    (2..=35).contains(&text.len())
        && text.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_names_is_no_difference() {
        let options = PerspectiveOptions::default();
        let one = options.clone().with_attributes([Attribute::INSULT, Attribute::TOXICITY]);
        let two = [Attribute::TOXICITY, Attribute::INSULT, Attribute::TOXICITY];
        let other = options.with_attributes(two);
        assert_eq!(one.question().unwrap(), other.question().unwrap());
    }

    #[test]
    fn what_the_service_would_refuse_is_refused_before_it_is_asked() {
        let options = PerspectiveOptions::default;
        let key = |options: PerspectiveOptions| options.question().unwrap_err();
        assert_eq!(key(options().with_attributes([])).key(), Some("attributes"));
        assert_eq!(key(options().with_languages(["english language"])).key(), Some("languages"));
        let error = key(options().with_languages(["de"]));
        assert!(error.message().contains("SEXUALLY_EXPLICIT does not support"), "{error}");
        // A replacement may support what the service does not.
        options().with_languages(["de"]).with_endpoint("http://localhost/").question().unwrap();
        let six = Attribute::STANDARD[..6].to_vec();
        options().with_languages(["de", "hi-Latn"]).with_attributes(six).question().unwrap();
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = Secret::new("AIza-secret-key").unwrap();
        let options = PerspectiveOptions::default().with_secret_header("x-api-key", secret);
        let shown = format!("{options:?}");
        assert!(shown.contains("x-api-key") && !shown.contains("AIza"), "{shown}");
    }
}
