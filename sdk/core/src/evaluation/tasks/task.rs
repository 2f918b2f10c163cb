use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use minijinja::Environment;
use minijinja::value::{Serde, Value as JinjaValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::built_in;
use super::definition::{DataDefinition, Definition, Label, Template, refusal};
use super::item::TaskItem;
use super::templates::{environment, list, render, said};
use crate::evaluation::COMPONENT;
use crate::evaluation::work::json;
use crate::files::line_of;
use crate::{Digest, Error, ErrorKind, Info, Result};

/// What a task is measured by, under the names of lm-evaluation-harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskMetric {
    /// Accuracy: the share of items whose right choice is the most probable one (of equals, the first
    /// counts); of a task without choices, the share of targets that greedy decoding would write.
    #[serde(rename = "acc")]
    Accuracy,
    /// The same with each choice's log-probability divided by its length in characters, which is what
    /// lm-evaluation-harness computes under this name.
    #[serde(rename = "acc_norm")]
    AccuracyPerCharacter,
    /// The same with its length in bytes of UTF-8; equal to `acc_norm` on ASCII.
    #[serde(rename = "acc_bytes")]
    AccuracyPerByte,
    /// Of a task without choices: exp of the mean negative log-probability of a whole target.
    #[serde(rename = "perplexity")]
    Perplexity,
}

impl TaskMetric {
    /// The name in tasks and measurements.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "acc",
            Self::AccuracyPerCharacter => "acc_norm",
            Self::AccuracyPerByte => "acc_bytes",
            Self::Perplexity => "perplexity",
        }
    }
}

/// How an item is asked. Templates go by their keys.
#[derive(Clone, Debug)]
enum Form {
    /// One context and several continuations.
    Choices { keys: Vec<String> },
    /// The same with a continuation for every member of a list.
    ChoicesOf { list: String },
    /// Several contexts and one continuation: partial evaluation (Trinh and Le 2018).
    Contexts { keys: Vec<String> },
    /// One context and one continuation.
    Target,
}

/// A zero-shot task: how to ask a model about the rows of a file, and which answer is right.
///
/// A task is one TOML file; the book's page about tasks has its keys. Cheap to clone.
#[derive(Clone)]
pub struct Task(Arc<Inner>);

struct Inner {
    info: Info,
    summary: String,
    source: String,
    metrics: Vec<TaskMetric>,
    form: Form,
    delimiter: String,
    /// Which choice a label means.
    labels: BTreeMap<String, usize>,
    data: DataDefinition,
    environment: Environment<'static>,
}

impl Task {
    /// Reads a task's file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, has an unknown key, lacks one, has two that exclude each
    /// other, or a template that is none: file, line and key are named.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::io(COMPONENT, "read a task", path, e))?;
        Self::parse(&text).map_err(|e| e.with_path(path))
    }

    /// The same from a file's text.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self> {
        Builder { text, environment: environment() }.build(Definition::parse(text)?)
    }

    /// A task of ours, or of the file that `name` is the path of.
    ///
    /// # Errors
    /// When there is neither; the names there are, are listed.
    pub fn named(name: &str) -> Result<Self> {
        if let Some(text) = built_in::text(name) {
            return Self::parse(text);
        }
        if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
            return Self::read(name);
        }
        let names: Vec<_> = built_in::names().collect();
        let message = format!("there is no task `{name}`");
        Err(Error::new(ErrorKind::NotFound, COMPONENT, "find a task", message).with_remedy(
            format!(
                "there are {}; a task of your own is a path that ends in .toml",
                names.join(", ")
            ),
        ))
    }

    /// The names of the tasks that are built in.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        built_in::names()
    }

    /// Name and version, and the digest of everything that the file says.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.0.info
    }

    /// One sentence on what it asks.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// Where its files come from; may be empty.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What it is measured by.
    #[must_use]
    pub fn metrics(&self) -> &[TaskMetric] {
        &self.0.metrics
    }

    /// How many files its items are read from: the rows, and what stands beside them.
    #[must_use]
    pub fn files(&self) -> usize {
        1 + self.0.data.companions.len()
    }

    /// What stands beside the rows in files of their own, one for each name.
    #[must_use]
    pub fn companions(&self) -> &[String] {
        &self.0.data.companions
    }

    pub(super) fn data(&self) -> &DataDefinition {
        &self.0.data
    }

    /// Whether an item has choices.
    pub(super) fn has_choices(&self) -> bool {
        !matches!(self.0.form, Form::Target)
    }

    /// Whether the row counts.
    pub(super) fn keeps(&self, fields: &Map<String, Value>) -> Result<bool> {
        if self.0.data.keep.is_none() {
            return Ok(true);
        }
        render(&self.0.environment, KEEP, &JinjaValue::from(Serde(fields)))
            .map(|kept| !kept.is_empty())
    }

    /// The questions that a row stands for.
    pub(super) fn item(&self, line: u64, fields: &Map<String, Value>) -> Result<TaskItem> {
        let Inner { environment, form, delimiter, .. } = &*self.0;
        let fields = JinjaValue::from(Serde(fields));
        let rendered = |key: &str| render(environment, key, &fields);
        let (contexts, choices) = match form {
            Form::Choices { keys } => {
                let choices = keys.iter().map(|key| rendered(key)).collect::<Result<Vec<_>>>()?;
                (vec![rendered("context")?; choices.len()], choices)
            }
            Form::ChoicesOf { list: expression } => {
                let members = list(environment, "choices_of", expression, &fields)?;
                let choices = members.into_iter().map(|choice| {
                    let fields = minijinja::context! { choice, ..fields.clone() };
                    render(environment, "choice", &fields)
                });
                let choices = choices.collect::<Result<Vec<_>>>()?;
                (vec![rendered("context")?; choices.len()], choices)
            }
            Form::Contexts { keys } => {
                let contexts = keys.iter().map(|key| rendered(key)).collect::<Result<Vec<_>>>()?;
                let target = rendered("target")?;
                let count = contexts.len();
                (contexts, vec![target; count])
            }
            Form::Target => (vec![rendered("context")?], vec![rendered("target")?]),
        };
        let right =
            if self.has_choices() { self.right(rendered("answer")?, choices.len())? } else { 0 };
        TaskItem::new(line, contexts, choices, delimiter, right)
    }

    /// The number of the right choice.
    fn right(&self, answer: String, choices: usize) -> Result<usize> {
        let labels = &self.0.labels;
        let right = match labels.is_empty() {
            true => answer.parse().ok(),
            false => labels.get(&answer).copied(),
        };
        if let Some(right) = right.filter(|&right| right < choices) {
            return Ok(right);
        }
        let message = format!("`{answer}` is the label of none of {choices} choices");
        let remedy = match labels.is_empty() {
            true => format!("labels are the numbers from 0 to {}", choices.saturating_sub(1)),
            false => {
                format!("labels are {}", labels.keys().cloned().collect::<Vec<_>>().join(", "))
            }
        };
        Err(Error::new(ErrorKind::InvalidInput, COMPONENT, "ask an item", message)
            .with_key("answer")
            .with_remedy(remedy))
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("info", &self.0.info).finish_non_exhaustive()
    }
}

/// The template that is empty for a row that does not count.
const KEEP: &str = "data.keep";

struct Builder<'a> {
    text: &'a str,
    environment: Environment<'static>,
}

impl Builder<'_> {
    fn build(mut self, definition: Definition) -> Result<Task> {
        let digest = Digest::of(json(&definition)?.to_string());
        let name = definition.name.as_ref();
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(self
                .at("name", definition.name.span().start, "it names files and columns")
                .with_remedy("use letters, digits, `_`, `-` and `.`"));
        }
        let info = Info::new(name.clone(), definition.version.clone(), digest);
        let form = self.form(&definition)?;
        self.check_metrics(&definition, &form)?;
        let labels = self.labels(&definition, &form)?;
        if let Some(keep) = &definition.data.keep {
            let source = format!("{{% if {} %}}1{{% endif %}}", keep.as_ref());
            self.add(KEEP, keep, source)?;
        }
        if let Some(lines) = &definition.data.lines
            && lines.as_ref().is_empty()
        {
            return Err(self.at("data.lines", lines.span().start, "an item has at least one line"));
        }
        Ok(Task(Arc::new(Inner {
            info,
            summary: definition.summary,
            source: definition.source,
            metrics: definition.metrics.into_inner(),
            form,
            delimiter: definition.delimiter,
            labels,
            data: definition.data,
            environment: self.environment,
        })))
    }

    fn form(&mut self, definition: &Definition) -> Result<Form> {
        let Definition { context, contexts, choices, choices_of, choice, target, .. } = definition;
        let form = match (context, contexts, choices, choices_of, choice, target) {
            (Some(context), None, Some(choices), None, None, None) => {
                self.add("context", context, context.as_ref().clone())?;
                Form::Choices { keys: self.add_all("choices", choices)? }
            }
            (Some(context), None, None, Some(list), Some(choice), None) => {
                self.add("context", context, context.as_ref().clone())?;
                self.add("choice", choice, choice.as_ref().clone())?;
                let compiled = self.environment.compile_expression_owned(list.as_ref().clone());
                compiled.map_err(|e| self.at("choices_of", list.span().start, said(&e)))?;
                Form::ChoicesOf { list: list.as_ref().clone() }
            }
            (None, Some(contexts), None, None, None, Some(target)) => {
                self.add("target", target, target.as_ref().clone())?;
                Form::Contexts { keys: self.add_all("contexts", contexts)? }
            }
            (Some(context), None, None, None, None, Some(target)) => {
                self.add("context", context, context.as_ref().clone())?;
                self.add("target", target, target.as_ref().clone())?;
                Form::Target
            }
            _ => {
                let given = [
                    ("context", context.is_some()),
                    ("contexts", contexts.is_some()),
                    ("choices", choices.is_some()),
                    ("choices_of", choices_of.is_some()),
                    ("choice", choice.is_some()),
                    ("target", target.is_some()),
                ];
                let given: Vec<_> =
                    given.iter().filter(|(_, is_given)| *is_given).map(|(key, _)| *key).collect();
                let message = format!("`{}` are no question", given.join("`, `"));
                return Err(refusal(message).with_remedy(
                    "give `context` and `choices`; or `context`, `choices_of` and `choice`; or \
                     `contexts` and `target`; or `context` and `target`",
                ));
            }
        };
        match (&definition.answer, matches!(form, Form::Target)) {
            (Some(answer), false) => self.add("answer", answer, answer.as_ref().clone())?,
            (None, true) => {}
            (Some(answer), true) => {
                let message = "without choices, the target is the answer";
                return Err(self.at("answer", answer.span().start, message));
            }
            (None, false) => {
                return Err(refusal("is missing")
                    .with_key("answer")
                    .with_remedy("give a template of the right choice's label"));
            }
        }
        Ok(form)
    }

    fn check_metrics(&self, definition: &Definition, form: &Form) -> Result<()> {
        let metrics = definition.metrics.as_ref();
        let start = definition.metrics.span().start;
        let fitting: &[TaskMetric] = match form {
            Form::Choices { .. } | Form::ChoicesOf { .. } => &[
                TaskMetric::Accuracy,
                TaskMetric::AccuracyPerCharacter,
                TaskMetric::AccuracyPerByte,
            ],
            // All continuations of an item are the same: their length decides nothing.
            Form::Contexts { .. } => &[TaskMetric::Accuracy],
            Form::Target => &[TaskMetric::Accuracy, TaskMetric::Perplexity],
        };
        let names = |metrics: &[TaskMetric]| {
            metrics.iter().map(|metric| metric.as_str()).collect::<Vec<_>>().join(", ")
        };
        if metrics.is_empty() {
            return Err(self.at("metrics", start, "there is none"));
        }
        for (index, metric) in metrics.iter().enumerate() {
            if metrics[..index].contains(metric) {
                return Err(self.at("metrics", start, format!("{} twice", metric.as_str())));
            }
            if !fitting.contains(metric) {
                let message = format!("{} does not fit the question", metric.as_str());
                return Err(self
                    .at("metrics", start, message)
                    .with_remedy(format!("what fits: {}", names(fitting))));
            }
        }
        Ok(())
    }

    fn labels(&self, definition: &Definition, form: &Form) -> Result<BTreeMap<String, usize>> {
        let mut numbers = BTreeMap::new();
        let Some(labels) = &definition.labels else { return Ok(numbers) };
        let start = labels.span().start;
        let choices = match form {
            Form::Choices { keys } | Form::Contexts { keys } => Some(keys.len()),
            Form::ChoicesOf { .. } => None,
            Form::Target => {
                return Err(self.at("labels", start, "without choices, there is nothing to label"));
            }
        };
        let labels: &[Label] = labels.as_ref();
        if let Some(choices) = choices.filter(|&choices| choices != labels.len()) {
            let message = format!("{} labels for {choices} choices", labels.len());
            return Err(self.at("labels", start, message));
        }
        for (number, label) in labels.iter().enumerate() {
            for name in label.names() {
                if numbers.insert(name.clone(), number).is_some() {
                    return Err(self.at("labels", start, format!("`{name}` is there twice")));
                }
            }
        }
        Ok(numbers)
    }

    fn add_all(
        &mut self,
        key: &str,
        templates: &toml::Spanned<Vec<Template>>,
    ) -> Result<Vec<String>> {
        if templates.as_ref().len() < 2 {
            let message = "an item has at least two";
            return Err(self.at(key, templates.span().start, message));
        }
        let mut keys = Vec::new();
        for (number, template) in templates.as_ref().iter().enumerate() {
            let key = format!("{key}[{number}]");
            self.add(&key, template, template.as_ref().clone())?;
            keys.push(key);
        }
        Ok(keys)
    }

    fn add(&mut self, key: &str, place: &Template, source: String) -> Result<()> {
        let added = self.environment.add_template_owned(key.to_owned(), source);
        added.map_err(|e| {
            self.at(key, place.span().start, said(&e))
                .with_remedy("templates are in Jinja: {{ field }}")
                .with_source(e)
        })
    }

    fn at(
        &self,
        key: &str,
        byte: usize,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        refusal(message).with_key(key.to_owned()).with_line(line_of(self.text, byte))
    }
}
