use serde::{Deserialize, Serialize};

use crate::{Decision, FinishReason, Scores, Unscored, Verdict};

/// A self-generated text, as a run keeps it in `generate/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its number in the run, from 0.
    pub id: u64,
    /// What the model was given; empty when it wrote unconditionally.
    pub prompt: String,
    /// What the model wrote, without the prompt.
    pub text: String,
    /// The seed of the run.
    pub seed: u64,
    /// How many tokens the model wrote.
    pub tokens: usize,
    /// Why it ended.
    pub finish: FinishReason,
}

/// What a scorer says of a document, as a run keeps it in `score/`.
///
/// As JSON, `{"id":7,"scores":{"TOXICITY":0.03}}` or `{"id":7,"unscored":{"reason":"blank"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ScoredFields", into = "ScoredFields")]
pub struct ScoredDocument {
    /// The document's number.
    pub id: u64,
    /// The verdict on its text.
    pub verdict: Verdict,
}

/// Two optional fields where `flatten` would do: serde buffers flattened fields as f64, and the last
/// bit of an f32 must not depend on a second rounding.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoredFields {
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scores: Option<Scores>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unscored: Option<Unscored>,
}

impl TryFrom<ScoredFields> for ScoredDocument {
    type Error = &'static str;

    fn try_from(fields: ScoredFields) -> Result<Self, Self::Error> {
        let verdict = match (fields.scores, fields.unscored) {
            (Some(scores), None) => Verdict::Scored(scores),
            (None, Some(reason)) => Verdict::Unscored(reason),
            (None, None) => return Err("missing field `scores` or `unscored`"),
            (Some(_), Some(_)) => return Err("`scores` and `unscored` exclude each other"),
        };
        Ok(Self { id: fields.id, verdict })
    }
}

impl From<ScoredDocument> for ScoredFields {
    fn from(row: ScoredDocument) -> Self {
        let (scores, unscored) = match row.verdict {
            Verdict::Scored(scores) => (Some(scores), None),
            Verdict::Unscored(reason) => (None, Some(reason)),
        };
        Self { id: row.id, scores, unscored }
    }
}

/// What a filter says of a document, as a run keeps it beside the scores.
///
/// As JSON, `{"id":7,"keep":true}` or `{"id":7,"drop":"the reason"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "DecisionFields", into = "DecisionFields")]
pub struct DecisionRow {
    /// The document's number.
    pub id: u64,
    /// The decision on its text.
    pub decision: Decision,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionFields {
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drop: Option<String>,
}

impl TryFrom<DecisionFields> for DecisionRow {
    type Error = &'static str;

    fn try_from(fields: DecisionFields) -> Result<Self, Self::Error> {
        let decision = match (fields.keep, fields.drop) {
            (Some(true), None) => Decision::Keep,
            (None, Some(why)) => Decision::Drop(why),
            _ => return Err("a decision is either `\"keep\": true` or `\"drop\": \"why\"`"),
        };
        Ok(Self { id: fields.id, decision })
    }
}

impl From<DecisionRow> for DecisionFields {
    fn from(row: DecisionRow) -> Self {
        let (keep, drop) = match row.decision {
            Decision::Keep => (Some(true), None),
            Decision::Drop(why) => (None, Some(why)),
        };
        Self { id: row.id, keep, drop }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::Attribute;

    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        row: &T,
        json: &str,
    ) {
        assert_eq!(serde_json::to_string(row).unwrap(), json);
        assert_eq!(&serde_json::from_str::<T>(json).unwrap(), row);
    }

    #[test]
    fn records_have_the_shape_that_the_run_directory_documents() {
        let document = Document {
            id: 3,
            prompt: String::new(),
            text: "hello".into(),
            seed: 42,
            tokens: 1,
            finish: FinishReason::Stop,
        };
        let json = r#"{"id":3,"prompt":"","text":"hello","seed":42,"tokens":1,"finish":"stop"}"#;
        round_trip(&document, json);
        let scores = Scores::new([(Attribute::TOXICITY, 0.1)]).unwrap();
        round_trip(
            &ScoredDocument { id: 3, verdict: scores.into() },
            r#"{"id":3,"scores":{"TOXICITY":0.1}}"#,
        );
        round_trip(
            &ScoredDocument { id: 4, verdict: Verdict::Unscored(Unscored::Blank) },
            r#"{"id":4,"unscored":{"reason":"blank"}}"#,
        );
        round_trip(&DecisionRow { id: 5, decision: Decision::Keep }, r#"{"id":5,"keep":true}"#);
        round_trip(
            &DecisionRow { id: 6, decision: Decision::Drop("too short".into()) },
            r#"{"id":6,"drop":"too short"}"#,
        );
    }

    #[test]
    fn a_row_with_both_or_neither_is_refused() {
        for json in [
            r#"{"id":1}"#,
            r#"{"id":1,"scores":{"TOXICITY":0.5},"unscored":{"reason":"blank"}}"#,
            r#"{"id":1,"scores":{"TOXICITY":0.5},"score":1}"#,
        ] {
            assert!(serde_json::from_str::<ScoredDocument>(json).is_err(), "{json}");
        }
        for json in [r#"{"id":1}"#, r#"{"id":1,"keep":false}"#, r#"{"id":1,"keep":true,"drop":""}"#]
        {
            assert!(serde_json::from_str::<DecisionRow>(json).is_err(), "{json}");
        }
    }

    /// Every float has a bit pattern that a stride of a large odd number reaches.
    #[test]
    fn values_come_back_to_the_last_bit() {
        let one = 1.0_f32.to_bits();
        for bits in (0..=one).step_by(104_729) {
            let value = f32::from_bits(bits);
            let row = ScoredDocument {
                id: 0,
                verdict: Scores::new([(Attribute::TOXICITY, value)]).unwrap().into(),
            };
            let json = serde_json::to_string(&row).unwrap();
            let back: ScoredDocument = serde_json::from_str(&json).unwrap();
            assert_eq!(back.verdict.get(&Attribute::TOXICITY).unwrap().to_bits(), bits, "{json}");
        }
    }
}
