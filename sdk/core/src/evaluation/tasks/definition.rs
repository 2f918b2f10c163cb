use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::TaskMetric;
use crate::evaluation::COMPONENT;
use crate::files::parse_toml;
use crate::{Error, ErrorKind, Result};

/// A text with its place in the file.
pub(super) type Template = Spanned<String>;

/// A task's file, as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    pub(super) name: Spanned<String>,
    pub(super) version: String,
    pub(super) summary: String,
    /// Where the official files come from.
    #[serde(default)]
    pub(super) source: String,
    pub(super) metrics: Spanned<Vec<TaskMetric>>,
    pub(super) context: Option<Template>,
    pub(super) contexts: Option<Spanned<Vec<Template>>>,
    pub(super) choices: Option<Spanned<Vec<Template>>>,
    pub(super) choices_of: Option<Template>,
    pub(super) choice: Option<Template>,
    pub(super) target: Option<Template>,
    #[serde(default = "one_space")]
    pub(super) delimiter: String,
    pub(super) answer: Option<Template>,
    pub(super) labels: Option<Spanned<Vec<Label>>>,
    #[serde(default)]
    pub(super) data: DataDefinition,
}

fn one_space() -> String {
    " ".to_owned()
}

/// What files call a choice.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a label, or a list of labels that mean the same choice")]
pub(super) enum Label {
    One(String),
    Several(Vec<String>),
}

impl Label {
    pub(super) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// How items lie in files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DataDefinition {
    /// An item is so many lines of plain text, which have these names; one that comes more than once
    /// is a list.
    pub(super) lines: Option<Spanned<Vec<String>>>,
    /// Of further files: each has a line for every row of the first, and this is its name.
    pub(super) companions: Vec<String>,
    /// An expression: which rows count.
    pub(super) keep: Option<Template>,
    /// Neighbouring rows with the same value of this field are one item, whose field `rows` lists
    /// them.
    pub(super) group_by: Option<String>,
}

impl Definition {
    pub(super) fn parse(text: &str) -> Result<Self> {
        parse_toml(text, |message| {
            refusal(message)
                .with_remedy("the keys of a task are on the page about tasks of the book")
        })
    }
}

/// An error of a definition.
pub(super) fn refusal(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "read a task", message)
}
