use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{ScoreType, bytes_of_utf16, null};

/// The answer to `comments:analyze`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnalyzeResponse {
    /// The scores by attribute.
    #[serde(deserialize_with = "null::as_default")]
    pub attribute_scores: BTreeMap<String, AttributeScores>,
    /// The languages that the text was scored as.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// The languages that were detected; the service says it even when it was told them.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub detected_languages: Vec<String>,
    /// The token of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_token: Option<String>,
}

/// What is said of one attribute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AttributeScores {
    /// Of the whole text; left out below a requested threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_score: Option<Score>,
    /// Of its parts, in their order.
    #[serde(deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub span_scores: Vec<SpanScore>,
}

impl AttributeScores {
    /// A probability of the whole text and nothing else.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self { summary_score: Some(Score::probability(value)), span_scores: Vec::new() }
    }

    /// The parts of `text` that have a value, as ranges of its bytes. A part that does not lie in the
    /// text, or has no value, is left out.
    #[must_use]
    pub fn parts_of(&self, text: &str) -> Vec<(Range<usize>, f64)> {
        let part = |span: &SpanScore| {
            let bytes = bytes_of_utf16(text, span.begin.unwrap_or(0)..span.end?)?;
            Some((bytes, span.score.as_ref()?.value?))
        };
        self.span_scores.iter().filter_map(part).collect()
    }
}

/// A value and what it means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Score {
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it means.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub score_type: Option<ScoreType>,
}

impl Score {
    /// A probability.
    #[must_use]
    pub const fn probability(value: f64) -> Self {
        Self { value: Some(value), score_type: Some(ScoreType::Probability) }
    }
}

/// The score of a part of the text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpanScore {
    /// Where the part begins, in UTF-16 code units; 0 is the text's beginning and may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin: Option<u32>,
    /// Where it ends, exclusive, in UTF-16 code units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<u32>,
    /// Its score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_answer_comes_back() {
        let value = json!({
            "attributeScores": {
                "TOXICITY": {
                    "spanScores": [
                        {"begin": 0, "end": 11, "score": {"value": 0.5, "type": "PROBABILITY"}}
                    ],
                    "summaryScore": {"value": 0.5, "type": "PROBABILITY"}
                }
            },
            "languages": ["en"],
            "detectedLanguages": ["en", "fr"],
            "clientToken": "token"
        });
        let response: AnalyzeResponse = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(response.attribute_scores["TOXICITY"].span_scores[0].end, Some(11));
        assert_eq!(serde_json::to_value(&response).unwrap(), value);
    }

    #[test]
    fn every_field_may_be_missing_or_null() {
        let empty = AnalyzeResponse::default();
        for value in [
            json!({}),
            json!({"attributeScores": null, "languages": null, "clientToken": null, "new": 1}),
        ] {
            assert_eq!(serde_json::from_value::<AnalyzeResponse>(value).unwrap(), empty);
        }
        let response: AnalyzeResponse = serde_json::from_value(json!({
            "attributeScores": {
                "TOXICITY": {},
                "INSULT": {"summaryScore": {}, "spanScores": [{}]},
                "THREAT": {"summaryScore": {"value": 1, "type": "NEW"}, "spanScores": null}
            }
        }))
        .unwrap();
        assert_eq!(response.attribute_scores["TOXICITY"], AttributeScores::default());
        let threat = response.attribute_scores["THREAT"].summary_score.as_ref().unwrap();
        assert_eq!(threat.value, Some(1.0));
        assert_eq!(threat.score_type, Some(ScoreType::ScoreTypeUnspecified));
    }

    #[test]
    fn parts_are_ranges_of_bytes_and_foreign_ones_are_left_out() {
        let text = "Hi 😀. You.";
        let scores: AttributeScores = serde_json::from_value(json!({"spanScores": [
            {"end": 6, "score": {"value": 0.25}},
            {"begin": 7, "end": 11, "score": {"value": 0.75, "type": "PROBABILITY"}},
            {"begin": 4, "end": 6, "score": {"value": 0.5}},
            {"begin": 7, "end": 12, "score": {"value": 0.5}},
            {"begin": 0, "end": 2, "score": {}},
            {"begin": 0}
        ]}))
        .unwrap();
        let parts = scores.parts_of(text);
        let shown: Vec<_> =
            parts.iter().map(|(bytes, value)| (&text[bytes.clone()], *value)).collect();
        assert_eq!(shown, [("Hi 😀.", 0.25), ("You.", 0.75)]);
    }

    #[test]
    fn a_probability_is_written_as_the_service_writes_it() {
        assert_eq!(
            serde_json::to_value(AttributeScores::of(0.25)).unwrap(),
            json!({"summaryScore": {"value": 0.25, "type": "PROBABILITY"}})
        );
    }
}
