use std::time::Duration;

use super::{Attempt, Redaction, StatusClass};
use crate::{Error, ErrorKind};

/// The most characters of a service's message that are repeated.
const LONGEST_MESSAGE: usize = 300;

/// An HTTP answer, as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// HTTP's.
    pub status: u16,
    /// What the body is said to be.
    pub content_type: Option<String>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    /// Where it redirects to.
    pub location: Option<String>,
    /// Everything after the headers.
    pub body: Vec<u8>,
}

impl Received {
    /// What kind of answer it is.
    #[must_use]
    pub const fn class(&self) -> StatusClass {
        StatusClass::of(self.status)
    }

    /// The status, and what the service says, if it says something.
    #[must_use]
    pub fn describe(&self, message: &str) -> String {
        describe_status(self.status, message)
    }

    /// What comes of an answer that is about no text in particular: asking again, or the end of the
    /// call. `None` for an answer or a refusal, which are the protocol's to read.
    ///
    /// `message` is what the service says, without secrets; `remedies` are for callers who are denied,
    /// and for an address where nothing is.
    #[must_use]
    pub fn failure<T>(
        &self,
        component: &'static str,
        redaction: &Redaction,
        message: &str,
        remedies: [&str; 2],
    ) -> Option<Attempt<T>> {
        let [denied, elsewhere] = remedies.map(str::to_owned);
        let fatal = |kind, message: String| Error::new(kind, component, "score", message);
        Some(match self.class() {
            StatusClass::Success | StatusClass::Refused => return None,
            StatusClass::Passing => {
                Attempt::Passing { why: self.describe(message), wait: self.retry_after }
            }
            StatusClass::Denied => {
                Attempt::Fatal(fatal(ErrorKind::Denied, self.describe(message)).with_remedy(denied))
            }
            StatusClass::Elsewhere => Attempt::Fatal(match self.redirect() {
                Some(to) => fatal(
                    ErrorKind::InvalidConfig,
                    format!("it redirects to {}, where the key would go along", redaction.text(to)),
                )
                .with_key("endpoint")
                .with_remedy("if that is where the service is, make it the endpoint"),
                None => fatal(ErrorKind::NotFound, self.describe(message))
                    .with_key("endpoint")
                    .with_remedy(elsewhere),
            }),
        })
    }

    /// Where it redirects to, without what follows the path, which may hold a key.
    fn redirect(&self) -> Option<&str> {
        let location = self.location.as_deref().filter(|_| (300..400).contains(&self.status))?;
        location.split(['?', '#']).next()
    }
}

/// An HTTP status and what the service says, if it says something, on one line.
#[must_use]
pub fn describe_status(status: u16, message: &str) -> String {
    match one_line(message) {
        message if message.is_empty() => format!("HTTP {status}"),
        message => format!("HTTP {status}: {message}"),
    }
}

/// A message of somebody else's on one line, cut after 300 characters: without control characters, which
/// a terminal would obey.
#[must_use]
pub fn one_line(message: &str) -> String {
    let words = message.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line: String = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST_MESSAGE) {
        line.truncate(end);
        line.push('…');
    }
    line
}
