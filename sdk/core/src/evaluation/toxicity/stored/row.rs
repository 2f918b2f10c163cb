use serde_json::{Map, Value};

use crate::corpus::{PromptRow, ScoredTextRow, TextRow};
use crate::evaluation::EvaluationPrompt;
use crate::{Attribute, Scores, Unscored, Verdict};

/// What is wrong with a row, and the field in which.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) message: String,
}

/// A row of any shape.
#[derive(Debug, PartialEq)]
pub(super) enum Row {
    /// A prompt with all of its continuations.
    Prompt { prompt: EvaluationPrompt, texts: Vec<String>, verdicts: Vec<Verdict> },
    /// One continuation; `prompt` and `text` where the file has them, `number` where it says which
    /// one it is.
    Continuation {
        prompt: Option<String>,
        text: Option<String>,
        number: Option<u64>,
        verdict: Verdict,
    },
}

impl TryFrom<Map<String, Value>> for Row {
    type Error = Fault;

    fn try_from(row: Map<String, Value>) -> Result<Self, Fault> {
        if let Some(generations) = row.get("generations") {
            return prompt(&row, generations);
        }
        if let Some(id) = row.get("request_id") {
            return response(&row, id);
        }
        let prompt = match row.get("prompt") {
            Some(Value::String(prompt)) => Some(prompt.clone()),
            Some(_) => return Err(fault("prompt", "must be a string beside a single `text`")),
            None => None,
        };
        let row = TextRow::try_from(row).map_err(|e| fault("text", e))?;
        let row = ScoredTextRow::try_from(row).map_err(|e| fault("score", e))?;
        Ok(Self::Continuation {
            prompt,
            text: Some(row.row.text),
            number: None,
            verdict: row.verdict,
        })
    }
}

fn fault(key: impl Into<String>, message: impl Into<String>) -> Fault {
    Fault { key: key.into(), message: message.into() }
}

fn prompt(row: &Map<String, Value>, generations: &Value) -> Result<Row, Fault> {
    let own = ["prompt", "challenging"];
    let own = own.iter().filter_map(|name| Some(((*name).to_owned(), row.get(*name)?.clone())));
    let prompt = PromptRow::try_from(own.collect::<Map<_, _>>()).map_err(|e| fault("prompt", e))?;
    let Value::Array(generations) = generations else {
        return Err(fault("generations", "must be an array"));
    };
    let (mut texts, mut verdicts) = (Vec::new(), Vec::new());
    for (number, generation) in generations.iter().enumerate() {
        let key = format!("generations[{number}]");
        let Some(text) = generation.get("text").and_then(Value::as_str) else {
            return Err(fault(format!("{key}.text"), "must be there and a string"));
        };
        let values = generation.as_object().into_iter().flatten();
        let scores = values.filter(|(name, _)| *name != "text");
        verdicts.push(verdict(scores, &key, nothing_said(text))?);
        texts.push(text.to_owned());
    }
    Ok(Row::Prompt { prompt: EvaluationPrompt::from(&prompt), texts, verdicts })
}

/// Of a text that has only nulls, or nothing, beside it.
fn nothing_said(text: &str) -> Unscored {
    match text.trim().is_empty() {
        true => Unscored::Blank,
        false => Unscored::Abstained("the file has no score".to_owned()),
    }
}

/// `{"request_id": "generation-7", "response": {...} or null, "error": ...}`.
fn response(row: &Map<String, Value>, id: &Value) -> Result<Row, Fault> {
    let number = id.as_str().and_then(|id| id.rsplit_once('-')?.1.parse().ok());
    let Some(number) = number else {
        return Err(fault("request_id", format!("{id} does not end in a number after a `-`")));
    };
    let attributes = row.get("response").and_then(|response| response.get("attributeScores"));
    let key = "response.attributeScores";
    let values = attributes.and_then(Value::as_object).into_iter().flatten();
    let scores =
        values.filter_map(|(name, scores)| Some((name, scores.pointer("/summaryScore/value")?)));
    let why = match row.get("error") {
        None | Some(Value::Null) => "the file has no response".to_owned(),
        Some(Value::String(error)) => error.clone(),
        Some(error) => error.to_string(),
    };
    let verdict = verdict(scores, key, Unscored::Failed(why))?;
    Ok(Row::Continuation { prompt: None, text: None, number: Some(number), verdict })
}

/// The numbers in [0, 1] among fields. Nulls are missing; anything else is not a score, unless it bears
/// the name of one.
fn verdict<'a>(
    fields: impl Iterator<Item = (&'a String, &'a Value)>,
    key: &str,
    otherwise: Unscored,
) -> Result<Verdict, Fault> {
    let mut scores = Vec::new();
    for (name, value) in fields {
        let Ok(attribute) = name.parse::<Attribute>() else { continue };
        match value.as_f64() {
            Some(score) if (0.0..=1.0).contains(&score) => scores.push((attribute, score as f32)),
            _ if value.is_null() || !Attribute::STANDARD.contains(&attribute) => {}
            _ => {
                let message = format!("{value} is not in [0, 1]");
                return Err(fault(format!("{key}.{name}"), message));
            }
        }
    }
    if scores.is_empty() {
        return Ok(Verdict::Unscored(otherwise));
    }
    Scores::new(scores).map(Verdict::from).map_err(|e| fault(key, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Result<Row, Fault> {
        Row::try_from(serde_json::from_str::<Map<String, Value>>(json).unwrap())
    }

    #[test]
    fn rows_of_real_toxicity_prompts_and_dexperts_are_a_prompt_each() {
        let json = r#"{"prompt":{"text":"So","toxicity":0.75},"challenging":true,"generations":[
            {"text":" it","toxicity":0.5,"threat":null,"tokens":7},{"text":" ","toxicity":null},
            {"text":" is"}]}"#;
        let Row::Prompt { prompt, texts, verdicts } = row(json).unwrap() else { panic!() };
        assert_eq!((prompt.toxicity, prompt.challenging), (Some(0.75), true));
        assert_eq!(texts, [" it", " ", " is"]);
        let values = verdicts.iter().map(|verdict| verdict.get(&Attribute::TOXICITY));
        assert_eq!(values.collect::<Vec<_>>(), [Some(0.5), None, None]);
        assert_eq!(verdicts[0].get(&Attribute::THREAT), None);
        assert_eq!(verdicts[1], Verdict::Unscored(Unscored::Blank));
        assert!(matches!(verdicts[2], Verdict::Unscored(Unscored::Abstained(_))));
    }

    #[test]
    fn rows_of_sgeat_and_of_perspective_are_a_continuation_each() {
        let toxicity = |json: &str| {
            let Row::Continuation { verdict, .. } = row(json).unwrap() else { panic!() };
            verdict.get(&Attribute::TOXICITY)
        };
        let sgeat =
            r#"{"text":" it","all_text":"So it","prompt":"So","id":3,"score":{"toxicity":0.5}}"#;
        assert_eq!(toxicity(sgeat), Some(0.5));
        assert_eq!(toxicity(r#"{"text":" it","prompt":"So","score":null}"#), None);
        assert_eq!(
            toxicity(r#"{"text":" it","prompt":"So","scores":{"TOXICITY":0.25}}"#),
            Some(0.25)
        );
        let perspective = r#"{"request_id":"generation-12","error":null,"response":{"attributeScores":
            {"TOXICITY":{"spanScores":[],"summaryScore":{"value":0.25,"type":"PROBABILITY"}}}}}"#;
        assert_eq!(toxicity(perspective), Some(0.25));
        let failed = r#"{"request_id":"generation-12","response":null,"error":"quota"}"#;
        let expected = Row::Continuation {
            prompt: None,
            text: None,
            number: Some(12),
            verdict: Verdict::Unscored(Unscored::Failed("quota".into())),
        };
        assert_eq!(row(failed), Ok(expected));
    }

    #[test]
    fn a_fault_names_its_field() {
        for (json, key) in [
            (
                r#"{"prompt":{"text":"a"},"generations":[{"text":"b","toxicity":1.5}]}"#,
                "generations[0].toxicity",
            ),
            (r#"{"prompt":{"text":"a"},"generations":[{"toxicity":0.5}]}"#, "generations[0].text"),
            (r#"{"prompt":{"text":"a"},"generations":{}}"#, "generations"),
            (r#"{"generations":[]}"#, "prompt"),
            (r#"{"request_id":"first"}"#, "request_id"),
            (
                r#"{"request_id":"g-0","response":{"attributeScores":{"TOXICITY":{"summaryScore":{"value":7}}}}}"#,
                "response.attributeScores.TOXICITY",
            ),
            (r#"{"prompt":{"text":"a"},"text":"b","score":null}"#, "prompt"),
            (r#"{"prompt":"a","text":"b"}"#, "score"),
            (r#"{"prompt":"a","score":null}"#, "text"),
        ] {
            assert_eq!(row(json).unwrap_err().key, key, "{json}");
        }
    }
}
