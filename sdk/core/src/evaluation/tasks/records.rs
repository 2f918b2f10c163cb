use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Task;
use crate::corpus::{FieldRows, TextLines};
use crate::evaluation::COMPONENT;
use crate::{Error, ErrorKind, Result};

/// What makes an item, with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) fields: Map<String, Value>,
}

/// The rows of a task's files that count, grouped as the task asks, one at a time.
#[derive(Debug)]
pub(super) struct Records<'a> {
    task: &'a Task,
    path: PathBuf,
    rows: Rows,
    companions: Vec<(String, TextLines)>,
    /// The first row of the next group.
    pending: Option<Record>,
    ended: bool,
}

#[derive(Debug)]
enum Rows {
    Table(FieldRows),
    /// So many lines a row, with these names.
    Lines(TextLines, Vec<String>),
}

impl<'a> Records<'a> {
    /// Opens as many files as the task has; the first has the rows.
    pub(super) fn open(task: &'a Task, files: &[PathBuf]) -> Result<Self> {
        let data = task.data();
        let names = &data.companions;
        let Some((path, beside)) = files.split_first().filter(|(_, b)| b.len() == names.len())
        else {
            return Err(wrong_files(task, files.len()));
        };
        let rows = match &data.lines {
            Some(names) => Rows::Lines(TextLines::open(path)?, names.as_ref().clone()),
            None => Rows::Table(FieldRows::open(path)?),
        };
        let companions = names
            .iter()
            .zip(beside)
            .map(|(name, file)| Ok((name.clone(), TextLines::open(file)?)))
            .collect::<Result<_>>()?;
        Ok(Self { task, path: path.clone(), rows, companions, pending: None, ended: false })
    }

    /// The file that has the rows.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next row, with what stands beside it.
    fn row(&mut self) -> Result<Option<Record>> {
        let row = match &mut self.rows {
            Rows::Table(rows) => rows
                .next()
                .transpose()?
                .map(|row| Record { line: row.line, fields: row.into_fields() }),
            Rows::Lines(lines, names) => block(lines, names)?,
        };
        let Some(mut row) = row else {
            for (_, lines) in &mut self.companions {
                if lines.next().transpose()?.is_some() {
                    let message =
                        format!("there is no row for this line in {}", self.path.display());
                    return Err(unequal(lines, message));
                }
            }
            return Ok(None);
        };
        for (name, lines) in &mut self.companions {
            let Some(line) = lines.next().transpose()? else {
                let message =
                    format!("there is no line for row {}:{}", self.path.display(), row.line);
                return Err(unequal(lines, message));
            };
            row.fields.insert(name.clone(), Value::String(line));
        }
        Ok(Some(row))
    }

    /// The next row that counts.
    fn kept(&mut self) -> Result<Option<Record>> {
        while let Some(row) = self.row()? {
            if self.task.keeps(&row.fields).map_err(|e| self.place(e, row.line))? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn group(&mut self, by: &str) -> Result<Option<Record>> {
        let Some(mut first) =
            self.pending.take().map_or_else(|| self.kept(), |row| Ok(Some(row)))?
        else {
            return Ok(None);
        };
        let of = |row: &Record| row.fields.get(by).cloned();
        let Some(group) = of(&first) else {
            let error = Error::new(ErrorKind::InvalidInput, COMPONENT, "group rows", "is missing");
            return Err(self.place(error.with_key(by.to_owned()), first.line));
        };
        let mut rows = vec![Value::Object(first.fields.clone())];
        while let Some(row) = self.kept()? {
            if of(&row).as_ref() != Some(&group) {
                self.pending = Some(row);
                break;
            }
            rows.push(Value::Object(row.fields));
        }
        first.fields.insert("rows".to_owned(), Value::Array(rows));
        Ok(Some(first))
    }

    fn place(&self, error: Error, line: u64) -> Error {
        error.with_path(&self.path).with_line(line)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = match self.task.data().group_by.clone() {
            Some(by) => self.group(&by),
            None => self.kept(),
        };
        self.ended = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}

/// The next row of so many lines. Empty lines between rows are skipped.
fn block(lines: &mut TextLines, names: &[String]) -> Result<Option<Record>> {
    let mut fields = Map::new();
    let mut first = None;
    for name in names {
        let line = loop {
            let line = lines.next().transpose()?;
            if first.is_some() || line.as_ref().is_none_or(|line| !line.trim().is_empty()) {
                break line;
            }
        };
        let Some(line) = line else {
            if first.is_none() {
                return Ok(None);
            }
            return Err(unequal(lines, format!("the row ends before its `{name}`")));
        };
        first.get_or_insert(lines.number());
        if names.iter().filter(|other| *other == name).count() == 1 {
            fields.insert(name.clone(), Value::String(line));
        } else if let Value::Array(list) =
            fields.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()))
        {
            list.push(Value::String(line));
        }
    }
    Ok(first.map(|line| Record { line, fields }))
}

fn unequal(lines: &TextLines, message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, COMPONENT, "read the rows of a task", message)
        .with_path(lines.path())
        .with_line(lines.number())
        .with_remedy("give files of the same set, whole")
}

fn wrong_files(task: &Task, given: usize) -> Error {
    let message =
        format!("`{}` is read from {} files, not {given}", task.info().name, task.files());
    let companions = &task.data().companions;
    let error = Error::new(ErrorKind::InvalidConfig, COMPONENT, "open the rows of a task", message);
    if companions.is_empty() {
        return error.with_remedy("give the file of its rows");
    }
    error.with_remedy(format!(
        "give the file of its rows, then that of every `{}`",
        companions.join("`, `")
    ))
}
