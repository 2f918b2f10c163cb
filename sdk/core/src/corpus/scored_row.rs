use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::corpus::TextRow;
use crate::{Attribute, Scores, Unscored, Verdict};

/// A text with its verdict in one row, as it goes between tools.
///
/// Accepted are a [`TextRow`] with one of
/// - `"scores": {"TOXICITY": 0.03, ...}` or `"unscored": {"reason": "blank"}`, which is also what is
///   written;
/// - `"score": {"toxicity": 0.03, ...}` or `"score": null`, what the reference code of SGEAT writes.
///   It gives `null` to blank texts and to failures alike: a text that is not blank then abstained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TextRow")]
pub struct ScoredTextRow {
    /// The text and all fields but the verdict.
    #[serde(flatten)]
    pub row: TextRow,
    /// The verdict on the text.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl TryFrom<TextRow> for ScoredTextRow {
    type Error = String;

    fn try_from(mut row: TextRow) -> Result<Self, Self::Error> {
        let scores = row.fields.remove("scores");
        let unscored = row.fields.remove("unscored");
        let verdict = match (scores, unscored) {
            (Some(scores), None) => Scores::deserialize(scores)
                .map(Verdict::Scored)
                .map_err(|e| format!("field `scores`: {e}"))?,
            (None, Some(reason)) => Unscored::deserialize(reason)
                .map(Verdict::Unscored)
                .map_err(|e| format!("field `unscored`: {e}"))?,
            (Some(_), Some(_)) => {
                return Err("`scores` and `unscored` exclude each other".to_owned());
            }
            (None, None) => match row.fields.remove("score") {
                Some(Value::Object(scores)) => reference_scores(&scores)?,
                Some(Value::Null) if row.text.trim().is_empty() => {
                    Verdict::Unscored(Unscored::Blank)
                }
                Some(Value::Null) => {
                    Verdict::Unscored(Unscored::Abstained("the file says null".to_owned()))
                }
                Some(_) => return Err("field `score` must be an object or null".to_owned()),
                None => {
                    return Err("missing field `scores` or `unscored`: score the file first".into());
                }
            },
        };
        Ok(Self { row, verdict })
    }
}

fn reference_scores(scores: &Map<String, Value>) -> Result<Verdict, String> {
    let values: Result<Vec<_>, String> = scores
        .iter()
        .map(|(name, value)| {
            let attribute = name.parse::<Attribute>().map_err(|e| e.to_string())?;
            let value = value.as_f64().ok_or_else(|| format!("`score.{name}` is not a number"))?;
            Ok((attribute, value as f32))
        })
        .collect();
    Scores::new(values?).map(Verdict::from).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(json: &str) -> Verdict {
        serde_json::from_str::<ScoredTextRow>(json).unwrap().verdict
    }

    #[test]
    fn our_rows_and_those_of_the_reference_code_are_read() {
        let value = |json| verdict(json).get(&Attribute::TOXICITY);
        assert_eq!(value(r#"{"text":"a","scores":{"TOXICITY":0.25}}"#), Some(0.25));
        assert_eq!(value(r#"{"text":"a","score":{"toxicity":0.25,"threat":0}}"#), Some(0.25));
        assert_eq!(verdict(r#"{"text":" ","score":null}"#), Verdict::Unscored(Unscored::Blank));
        assert!(matches!(
            verdict(r#"{"text":"a","score":null}"#),
            Verdict::Unscored(Unscored::Abstained(_))
        ));
        assert_eq!(
            verdict(r#"{"text":"a","unscored":{"reason":"too_long"}}"#),
            Verdict::Unscored(Unscored::TooLong)
        );
    }

    #[test]
    fn a_row_without_a_verdict_says_what_to_do() {
        let error = serde_json::from_str::<ScoredTextRow>(r#"{"text":"a"}"#).unwrap_err();
        assert!(error.to_string().contains("score the file first"), "{error}");
        for json in [
            r#"{"text":"a","scores":{"TOXICITY":2}}"#,
            r#"{"text":"a","score":0.5}"#,
            r#"{"text":"a","scores":{"TOXICITY":0.5},"unscored":{"reason":"blank"}}"#,
        ] {
            assert!(serde_json::from_str::<ScoredTextRow>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let json = r#"{"text":"a","id":1,"scores":{"TOXICITY":0.1}}"#;
        let row: ScoredTextRow = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&row).unwrap(), json);
    }
}
