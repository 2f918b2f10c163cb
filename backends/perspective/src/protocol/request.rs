use std::collections::BTreeMap;

use detoxlm_core::Attribute;
use serde::{Deserialize, Serialize};

use super::null;

/// What a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum TextType {
    /// The only one that the service accepts, and what it takes when nothing is said.
    PlainText,
    /// Known by name, refused.
    Html,
    /// Nothing, or a name that is not known.
    #[default]
    #[serde(other)]
    TextTypeUnspecified,
}

/// A text with its type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TextEntry {
    /// The text, at most [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES).
    #[serde(deserialize_with = "null::as_default")]
    pub text: String,
    /// Its type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub text_type: Option<TextType>,
}

impl TextEntry {
    /// A plain text, its type left unsaid.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), text_type: None }
    }
}

/// What a comment answers. The service accepts it and no model reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Context {
    /// Earlier comments.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<TextEntry>,
    /// An article and the comment that is answered.
    #[serde(alias = "article_and_parent_comment", skip_serializing_if = "Option::is_none")]
    pub article_and_parent_comment: Option<Article>,
}

/// An article and the comment on it that is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Article {
    /// The article.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub article: Option<TextEntry>,
    /// The comment.
    #[serde(alias = "parent_comment", skip_serializing_if = "Option::is_none")]
    pub parent_comment: Option<TextEntry>,
}

/// What a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ScoreType {
    /// In [0, 1]: how likely a reader finds the attribute in the text. The only one that works.
    Probability,
    /// Standard deviations from the mean.
    StdDevScore,
    /// The share of texts with less.
    Percentile,
    /// As the model says it.
    Raw,
    /// Nothing, or a name that is not known.
    #[default]
    #[serde(other)]
    ScoreTypeUnspecified,
}

/// How one attribute is wanted; `{}` is the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestedAttribute {
    /// What the value is to mean; a probability when not said.
    #[serde(alias = "score_type", skip_serializing_if = "Option::is_none")]
    pub score_type: Option<ScoreType>,
    /// Scores below it are left out of the answer.
    #[serde(alias = "score_threshold", skip_serializing_if = "Option::is_none")]
    pub score_threshold: Option<f64>,
}

/// The body of `comments:analyze`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnalyzeRequest {
    /// The text that is asked about.
    #[serde(deserialize_with = "null::as_default")]
    pub comment: TextEntry,
    /// What it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// The attributes that are wanted, by name; at least one.
    #[serde(alias = "requested_attributes", deserialize_with = "null::as_default")]
    pub requested_attributes: BTreeMap<String, RequestedAttribute>,
    /// The languages of the text, as ISO 639-1 or BCP 47. An attribute has to support all of them;
    /// none means that the service detects one.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Whether the service must forget the text; it keeps it when nothing is said.
    #[serde(alias = "do_not_store", skip_serializing_if = "Option::is_none")]
    pub do_not_store: Option<bool>,
    /// Comes back with the answer.
    #[serde(alias = "client_token", skip_serializing_if = "Option::is_none")]
    pub client_token: Option<String>,
    /// Groups requests.
    #[serde(alias = "session_id", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Where the text was published.
    #[serde(alias = "community_id", skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// Whether scores of parts of the text are wanted too.
    #[serde(alias = "span_annotations", skip_serializing_if = "Option::is_none")]
    pub span_annotations: Option<bool>,
}

impl AnalyzeRequest {
    /// A request for probabilities of `attributes` of a plain text.
    #[must_use]
    pub fn new<'a>(
        text: impl Into<String>,
        attributes: impl IntoIterator<Item = &'a Attribute>,
    ) -> Self {
        let wanted =
            attributes.into_iter().map(|name| (name.to_string(), RequestedAttribute::default()));
        Self {
            comment: TextEntry::new(text),
            requested_attributes: wanted.collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_is_not_written() {
        let request = AnalyzeRequest::new("hello", &[Attribute::TOXICITY, Attribute::INSULT]);
        assert_eq!(
            serde_json::to_value(&request).unwrap(),
            json!({
                "comment": {"text": "hello"},
                "requestedAttributes": {"TOXICITY": {}, "INSULT": {}}
            })
        );
    }

    #[test]
    fn everything_that_is_said_comes_back() {
        let value = json!({
            "comment": {"text": "hello", "type": "PLAIN_TEXT"},
            "context": {
                "entries": [{"text": "earlier"}],
                "articleAndParentComment": {"article": {"text": "a"}, "parentComment": {"text": "p"}}
            },
            "requestedAttributes": {
                "TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.25},
                "THREAT": {}
            },
            "languages": ["en"],
            "doNotStore": true,
            "clientToken": "token",
            "sessionId": "session",
            "communityId": "community",
            "spanAnnotations": true
        });
        let request: AnalyzeRequest = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(request.requested_attributes["TOXICITY"].score_threshold, Some(0.25));
        assert_eq!(serde_json::to_value(&request).unwrap(), value);
    }

    #[test]
    fn snake_case_nulls_and_unknown_names_are_read() {
        let request: AnalyzeRequest = serde_json::from_value(json!({
            "comment": {"text": "hello", "type": "MARKDOWN"},
            "requested_attributes": {"TOXICITY": {"score_type": "ODDS", "score_threshold": null}},
            "languages": null,
            "do_not_store": true,
            "somethingNew": [1]
        }))
        .unwrap();
        assert_eq!(request.do_not_store, Some(true));
        assert_eq!(request.comment.text_type, Some(TextType::TextTypeUnspecified));
        let toxicity = &request.requested_attributes["TOXICITY"];
        assert_eq!(toxicity.score_type, Some(ScoreType::ScoreTypeUnspecified));
        assert_eq!(request.languages, Vec::<String>::new());
    }
}
