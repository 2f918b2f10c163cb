use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::corpus::JsonlReader;
use crate::{Attribute, Result, Scores};

/// A text and what one source says of it: `{"text": "...", "scores": {"TOXICITY": 0.7}, "source":
/// "jigsaw"}`.
///
/// A value is a score, a share of annotators or a label, in [0, 1]. An attribute that is not there
/// was not judged, which is not 0. Other fields are ignored, so that what `detoxlm score` writes can
/// be learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledRow {
    /// The text.
    pub text: String,
    /// What was judged of it.
    pub scores: Scores,
    /// Who judged: rows of one source are on one scale.
    #[serde(default = "unnamed", skip_serializing_if = "is_unnamed")]
    pub source: String,
}

const UNNAMED: &str = "unnamed";

fn unnamed() -> String {
    UNNAMED.to_owned()
}

fn is_unnamed(source: &str) -> bool {
    source == UNNAMED
}

impl LabelledRow {
    /// A row of a source.
    #[must_use]
    pub fn new(text: impl Into<String>, scores: Scores, source: impl Into<String>) -> Self {
        Self { text: text.into(), scores, source: source.into() }
    }

    /// The values of `attributes`, in their order; `None` where it was not judged.
    #[must_use]
    pub fn values(&self, attributes: &[Attribute]) -> Vec<Option<f32>> {
        attributes.iter().map(|attribute| self.scores.get(attribute)).collect()
    }

    /// What makes two texts the same: white space and case do not count.
    #[must_use]
    pub fn key(&self) -> String {
        self.text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A line of a file of rows.
#[derive(Deserialize)]
#[serde(try_from = "Fields")]
enum Line {
    Labelled(LabelledRow),
    /// What `detoxlm score` writes of a text without scores.
    Unscored,
}

#[derive(Deserialize)]
struct Fields {
    text: String,
    scores: Option<Scores>,
    unscored: Option<IgnoredAny>,
    #[serde(default = "unnamed")]
    source: String,
}

impl TryFrom<Fields> for Line {
    type Error = &'static str;

    fn try_from(fields: Fields) -> std::result::Result<Self, Self::Error> {
        let Fields { text, scores, unscored, source } = fields;
        match (scores, unscored) {
            (Some(_), Some(_)) => Err("`scores` and `unscored` exclude each other"),
            (Some(scores), None) => Ok(Self::Labelled(LabelledRow { text, scores, source })),
            (None, Some(_)) => Ok(Self::Unscored),
            (None, None) => Err("missing field `scores`"),
        }
    }
}

/// The rows of a file, one at a time: JSONL, also `.gz` or `.zst`. Rows that are `unscored` are passed
/// over.
///
/// # Errors
/// When the file cannot be opened. Malformed rows are errors of the iterator.
pub fn read_labelled(
    path: impl AsRef<Path>,
) -> Result<impl Iterator<Item = Result<LabelledRow>> + Send> {
    let row = |line: Result<Line>| match line {
        Ok(Line::Labelled(row)) => Some(Ok(row)),
        Ok(Line::Unscored) => None,
        Err(e) => Some(Err(e)),
    };
    Ok(JsonlReader::open(path)?.filter_map(row))
}
