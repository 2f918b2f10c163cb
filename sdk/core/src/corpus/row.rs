use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Attribute;

/// A row with a text. Whatever else the row has is kept and written out again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct TextRow {
    /// The string field `text`.
    pub text: String,
    /// All other fields.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl TextRow {
    /// A row of a text alone.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), fields: Map::new() }
    }
}

impl TryFrom<Map<String, Value>> for TextRow {
    type Error = String;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Self::Error> {
        match fields.remove("text") {
            Some(Value::String(text)) => Ok(Self { text, fields }),
            Some(other) => Err(not_a_string("text", &other)),
            None => Err(missing("`text`", &fields)),
        }
    }
}

/// A prompt, possibly with scores of its own. The row it was read from is kept and written out again.
///
/// Accepted are, in this order of preference:
/// - `{"prompt": {"text": "...", "toxicity": 0.3, "threat": null, ...}, ...}`, the rows of
///   RealToxicityPrompts (Gehman et al. 2020);
/// - `{"prompt": "..."}`;
/// - `{"text": "..."}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct PromptRow {
    text: String,
    scores: BTreeMap<Attribute, Option<f32>>,
    row: Map<String, Value>,
}

impl PromptRow {
    /// A prompt without scores.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let row = Map::from_iter([("prompt".to_owned(), Value::String(text.clone()))]);
        Self { text, scores: BTreeMap::new(), row }
    }

    /// What the model is given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The prompt's own value of an attribute; `None` when the file has none or says `null`.
    #[must_use]
    pub fn score(&self, attribute: &Attribute) -> Option<f32> {
        self.scores.get(attribute).copied().flatten()
    }

    /// All attributes that the file lists for the prompt; `None` where it says `null`.
    pub fn scores(&self) -> impl Iterator<Item = (&Attribute, Option<f32>)> {
        self.scores.iter().map(|(attribute, value)| (attribute, *value))
    }

    /// The row as it was read.
    #[must_use]
    pub const fn row(&self) -> &Map<String, Value> {
        &self.row
    }
}

impl TryFrom<Map<String, Value>> for PromptRow {
    type Error = String;

    fn try_from(row: Map<String, Value>) -> Result<Self, Self::Error> {
        let (text, scores) = match (row.get("prompt"), row.get("text")) {
            (Some(Value::String(text)), _) | (None, Some(Value::String(text))) => {
                (text.clone(), BTreeMap::new())
            }
            (Some(Value::Object(prompt)), _) => match prompt.get("text") {
                Some(Value::String(text)) => (text.clone(), own_scores(prompt)?),
                Some(other) => return Err(not_a_string("prompt.text", other)),
                None => return Err(missing("`prompt.text`", prompt)),
            },
            (Some(other), _) => return Err(not_a_string("prompt", other)),
            (None, Some(other)) => return Err(not_a_string("text", other)),
            (None, None) => return Err(missing("`prompt` or `text`", &row)),
        };
        Ok(Self { text, scores, row })
    }
}

impl From<PromptRow> for Map<String, Value> {
    fn from(prompt: PromptRow) -> Self {
        prompt.row
    }
}

/// The numbers in [0, 1] and the nulls beside a prompt's text. Anything else there is not a score,
/// unless it bears the name of one.
fn own_scores(prompt: &Map<String, Value>) -> Result<BTreeMap<Attribute, Option<f32>>, String> {
    let mut scores = BTreeMap::new();
    for (name, value) in prompt {
        let Ok(attribute) = name.parse::<Attribute>() else { continue };
        let score = value.as_f64().map(|score| score as f32);
        if value.is_null() || score.is_some_and(|score| (0.0..=1.0).contains(&score)) {
            scores.insert(attribute, score);
        } else if Attribute::STANDARD.contains(&attribute) {
            return Err(format!("`prompt.{name}` is {value}, which is not in [0, 1]"));
        }
    }
    Ok(scores)
}

fn missing(what: &str, fields: &Map<String, Value>) -> String {
    if fields.is_empty() {
        return format!("missing field {what}; the row is empty");
    }
    let names: Vec<_> = fields.keys().map(|name| format!("`{name}`")).collect();
    format!("missing field {what}; the row has {}", names.join(", "))
}

fn not_a_string(name: &str, value: &Value) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    format!("field `{name}` must be a string, not {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(json: &str) -> PromptRow {
        serde_json::from_str(json).unwrap()
    }

    fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        serde_json::from_str::<T>(json).unwrap_err().to_string()
    }

    #[test]
    fn other_fields_pass_through() {
        let json = r#"{"text":"a","id":7,"nested":{"x":[1,null]}}"#;
        let row: TextRow = serde_json::from_str(json).unwrap();
        assert_eq!(row.text, "a");
        assert_eq!(row.fields["id"], 7);
        let written: Value = serde_json::to_value(&row).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn a_missing_or_wrong_field_is_named_with_what_is_there_instead() {
        assert_eq!(
            refused::<TextRow>(r#"{"prompt":"a","id":1}"#),
            "missing field `text`; the row has `id`, `prompt`"
        );
        assert_eq!(
            refused::<TextRow>(r#"{"text":null}"#),
            "field `text` must be a string, not null"
        );
        assert_eq!(
            refused::<PromptRow>("{}"),
            "missing field `prompt` or `text`; the row is empty"
        );
        assert!(refused::<PromptRow>(r#"{"prompt":{"toxicity":0.1}}"#).contains("`prompt.text`"));
        assert!(refused::<PromptRow>(r#"{"prompt":["a"]}"#).contains("not an array"));
        assert!(
            refused::<PromptRow>(r#"{"prompt":{"text":"a","toxicity":1.5}}"#)
                .contains("`prompt.toxicity` is 1.5")
        );
    }

    #[test]
    fn prompts_are_read_from_every_shape() {
        assert_eq!(prompt(r#"{"prompt":"a"}"#).text(), "a");
        assert_eq!(prompt(r#"{"text":"a"}"#).text(), "a");
        assert_eq!(prompt(r#"{"prompt":"a","text":" b"}"#).text(), "a");
        assert_eq!(PromptRow::new("a"), prompt(r#"{"prompt":"a"}"#));
    }

    #[test]
    fn a_row_of_real_toxicity_prompts_keeps_its_scores_and_comes_back_whole() {
        let json = r#"{"begin":340,"challenging":false,"continuation":{"severe_toxicity":0.79,"text":"b"},
            "prompt":{"id":7,"text":"So, I","threat":null,"toxicity":0.29}}"#;
        let row = prompt(json);
        assert_eq!(row.text(), "So, I");
        assert_eq!(row.score(&Attribute::TOXICITY), Some(0.29));
        assert_eq!(row.score(&Attribute::THREAT), None);
        assert_eq!(row.score(&Attribute::INSULT), None);
        assert_eq!(row.scores().count(), 2);
        let written: Value = serde_json::to_value(&row).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(json).unwrap());
    }
}
