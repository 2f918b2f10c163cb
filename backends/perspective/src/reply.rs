//! What the service said, and what that makes of a text.

use detoxlm_core::remote::{Attempt, Received, Redaction, StatusClass, describe_status, one_line};
use detoxlm_core::{Attribute, Error, ErrorKind, Scores, Unscored, Verdict};
use serde_json::Value;

use crate::protocol::{AnalyzeResponse, ErrorEnvelope, ErrorType, GoogleError};
use crate::{COMPONENT, KEY_VARIABLE};

/// An answer that settles a text, as it came but for secrets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// What comes of an answer.
pub(crate) fn judge(received: &Received, redaction: &Redaction) -> Attempt<Reply> {
    let judgement = Judgement { received, redaction };
    let denied = denied_remedy();
    let elsewhere = "check the endpoint; Perspective API's is gone after 2026-12-31";
    let message = judgement.message();
    if let Some(failure) = received.failure(COMPONENT, redaction, &message, [&denied, elsewhere]) {
        return failure;
    }
    match received.class() {
        StatusClass::Success => judgement.analysis(),
        _ => judgement.refusal(),
    }
}

/// An answer that is about one text.
struct Judgement<'a> {
    received: &'a Received,
    redaction: &'a Redaction,
}

impl Judgement<'_> {
    fn analysis(&self) -> Attempt<Reply> {
        // What cannot be read is quoted by whoever cannot read it.
        let passing = |why: String| Attempt::Passing {
            why: one_line(&self.redaction.text(&why)),
            wait: None,
        };
        if let Some(other) =
            self.received.content_type.as_deref().filter(|kind| !kind.contains("json"))
        {
            return passing(format!("the answer is {other}, not JSON"));
        }
        let body = match serde_json::from_slice::<Value>(&self.received.body) {
            // serde would read a list as an object's fields in their order.
            Ok(body) if !body.is_object() => {
                return passing("the answer is no JSON object".to_owned());
            }
            Ok(body) => body,
            Err(e) => return passing(format!("the answer is malformed JSON: {e}")),
        };
        match serde_json::from_value::<AnalyzeResponse>(body.clone()) {
            Ok(_) => self.settled(body),
            Err(e) => passing(format!("the answer is of another shape: {e}")),
        }
    }

    fn refusal(&self) -> Attempt<Reply> {
        match serde_json::from_slice::<ErrorEnvelope>(&self.received.body) {
            Ok(envelope) if is_about_the_key(&envelope.error) => Attempt::Fatal(
                Error::new(
                    ErrorKind::Denied,
                    COMPONENT,
                    "score",
                    self.received.describe(&self.message()),
                )
                .with_remedy(denied_remedy()),
            ),
            Ok(_) => self.settled(serde_json::from_slice(&self.received.body).unwrap_or_default()),
            // Not the service's own words: a proxy's, perhaps.
            Err(_) => self.settled(Value::Null),
        }
    }

    fn settled(&self, mut body: Value) -> Attempt<Reply> {
        self.redaction.value(&mut body);
        Attempt::Done(Reply { status: self.received.status, body })
    }

    /// What the service says, without secrets.
    fn message(&self) -> String {
        let envelope = serde_json::from_slice::<ErrorEnvelope>(&self.received.body);
        self.redaction.text(&envelope.map(|envelope| envelope.error.message).unwrap_or_default())
    }
}

fn denied_remedy() -> String {
    format!(
        "check {KEY_VARIABLE} and that its project may use the API; Perspective API gives no new keys \
         and ends on 2026-12-31: use a local scorer, a replacement's endpoint, or replay a record"
    )
}

/// Google refuses a wrong key with HTTP 400.
fn is_about_the_key(error: &GoogleError) -> bool {
    error.details.iter().any(|detail| {
        detail
            .fields
            .get("reason")
            .and_then(Value::as_str)
            .is_some_and(|reason| reason.starts_with("API_KEY_"))
    })
}

impl Reply {
    /// Whether the service would say the same tomorrow: scores, or a refusal by a name that it has
    /// for what is wrong with the text.
    pub(crate) fn is_lasting(&self) -> bool {
        match StatusClass::of(self.status) {
            StatusClass::Success => true,
            _ => !matches!(self.error().error_type(), None | Some(ErrorType::ErrorTypeUnspecified)),
        }
    }

    /// The scores, of a success.
    pub(crate) fn response(&self) -> Option<AnalyzeResponse> {
        match StatusClass::of(self.status) {
            StatusClass::Success => serde_json::from_value(self.body.clone()).ok(),
            _ => None,
        }
    }

    /// What it makes of the text.
    pub(crate) fn verdict(&self, attributes: &[Attribute]) -> Verdict {
        match self.response() {
            Some(response) => verdict_of(&response, attributes),
            None => Verdict::Unscored(self.refused()),
        }
    }

    fn error(&self) -> GoogleError {
        let envelope = serde_json::from_value::<ErrorEnvelope>(self.body.clone());
        envelope.map(|envelope| envelope.error).unwrap_or_default()
    }

    fn refused(&self) -> Unscored {
        let error = self.error();
        match error.error_type() {
            Some(ErrorType::CommentEmpty) => Unscored::Blank,
            Some(ErrorType::CommentTooLong) => Unscored::TooLong,
            Some(ErrorType::LanguageDetectionFailed) => Unscored::Language("und".into()),
            Some(ErrorType::LanguageNotSupportedByAttribute) => {
                Unscored::Language(unsupported(&error))
            }
            _ if self.status == 413 => Unscored::TooLong,
            _ => Unscored::Abstained(describe_status(self.status, &error.message)),
        }
    }
}

fn unsupported(error: &GoogleError) -> String {
    let languages = error.language().map(|language| {
        [&language.detected_languages[..], &language.requested_languages[..]].concat()
    });
    match languages {
        Some(languages) if !languages.is_empty() => languages.join(", "),
        _ => "und".into(),
    }
}

/// What an answer makes of a text: the probabilities of those of `attributes` that it has.
///
/// An attribute without a summary score is missing, never 0; with none at all the text is
/// [`Unscored::Abstained`]. A value that is no probability spoils the answer: [`Unscored::Failed`].
#[must_use]
pub fn verdict_of(response: &AnalyzeResponse, attributes: &[Attribute]) -> Verdict {
    use crate::protocol::ScoreType::Probability;
    let mut values = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let scores = response.attribute_scores.get(attribute.as_str());
        let Some(score) = scores.and_then(|scores| scores.summary_score.as_ref()) else { continue };
        let Some(value) = score.value else { continue };
        let is_probability = score.score_type.is_none_or(|kind| kind == Probability);
        if !is_probability || !(0.0..=1.0).contains(&value) {
            let why = format!("its {attribute} of {value} is no probability");
            return Verdict::Unscored(Unscored::Failed(why));
        }
        values.push((attribute.clone(), value as f32));
    }
    match Scores::new(values) {
        Ok(scores) => Verdict::Scored(scores),
        Err(_) => {
            Verdict::Unscored(Unscored::Abstained("the answer has none of the attributes".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorEnvelope;

    /// Answers of every kind, for a service that garbles them.
    fn bodies() -> Vec<Vec<u8>> {
        let limited = ErrorEnvelope::rate_limited(60);
        let language = ErrorEnvelope::unsupported_language("THREAT", &["tr".into()]);
        vec![
            br#"{"attributeScores":{"TOXICITY":{"summaryScore":{"value":0.5,"type":"PROBABILITY"},
                "spanScores":[{"begin":0,"end":9,"score":{"value":1e-3}}]}},"languages":["en"]}"#
                .to_vec(),
            serde_json::to_vec(&limited).unwrap(),
            serde_json::to_vec(&language).unwrap(),
        ]
    }

    /// No garbled answer panics, and none gives a value that is no probability.
    #[test]
    fn garbled_answers_are_judged() {
        let redaction = Redaction::default();
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let bodies = bodies();
        let statuses = [200, 204, 301, 400, 401, 404, 413, 429, 500, 999];
        let mut settled = 0;
        for _ in 0..20_000 {
            let mut body = bodies[random(bodies.len())].clone();
            for _ in 0..random(4) {
                let at = random(body.len());
                match random(4) {
                    0 => body[at] = random(256) as u8,
                    1 => body.truncate(at + 1),
                    2 => drop(body.remove(at)),
                    _ => body.insert(at, b"{}[]\",:0-e\\"[random(11)]),
                }
                if body.is_empty() {
                    break;
                }
            }
            let received = Received {
                status: statuses[random(statuses.len())],
                content_type: [None, Some("application/json")][random(2)].map(str::to_owned),
                retry_after: [None, Some(std::time::Duration::from_secs(5))][random(2)],
                location: [None, Some("?"), Some("https://a.example/?key=x")][random(3)]
                    .map(str::to_owned),
                body,
            };
            if let Attempt::Done(reply) = judge(&received, &redaction) {
                settled += 1;
                let _ = reply.is_lasting();
                if let Verdict::Scored(scores) = reply.verdict(&Attribute::STANDARD) {
                    assert!(scores.iter().all(|(_, value)| (0.0..=1.0).contains(&value)));
                }
            }
        }
        assert!(settled > 4000, "{settled}");
    }
}
