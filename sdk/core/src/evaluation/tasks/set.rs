use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::records::{Record, Records};
use super::{Task, TaskItem};
use crate::evaluation::COMPONENT;
use crate::info::DigestBuilder;
use crate::{Digest, Error, ErrorKind, Info, Result};

/// The items of a task in files. They are read again whenever they are needed, and not kept. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct TaskSet {
    task: Task,
    files: Arc<[PathBuf]>,
    info: Info,
    items: usize,
    limit: Option<usize>,
}

impl TaskSet {
    /// Looks through a task's files, [`Task::files`] of them: that of the rows, then what stands beside
    /// them. `limit` takes the first so many items.
    ///
    /// Rows are JSONL, CSV or TSV, as [`FieldRows`](crate::corpus::FieldRows) has them, unless the task
    /// says otherwise.
    ///
    /// # Errors
    /// When a file cannot be read, the files are too few or too many or have unequal numbers of rows, a
    /// row is malformed, lacks a field, has a label out of range or a choice of no length (file and line
    /// are named), or there are no items.
    pub fn read(
        task: Task,
        files: impl IntoIterator<Item = impl AsRef<Path>>,
        limit: Option<usize>,
    ) -> Result<Self> {
        let files: Arc<[PathBuf]> = files.into_iter().map(|file| file.as_ref().into()).collect();
        if let Some(stream) = files.iter().find(|file| file.as_os_str() == "-") {
            let message = "items are read more than once";
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "read a task's items",
                message,
            )
            .with_path(stream)
            .with_remedy("give a file"));
        }
        let mut records = Records::open(&task, &files)?;
        let mut digest = DigestBuilder::new();
        let mut items = 0;
        for record in records.by_ref().take(limit.unwrap_or(usize::MAX)) {
            let record = record?;
            item(&task, &files, &record)?;
            add(&mut digest, record);
            items += 1;
        }
        if items == 0 {
            let error = Error::new(ErrorKind::Empty, COMPONENT, "read a task's items", "no items")
                .with_remedy("give at least one row that `data.keep` keeps");
            return Err(error.with_path(records.path()));
        }
        // Where a file lies says nothing about a number.
        let name = files.first().and_then(|file| file.file_name()).unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let info = Info::new(name, format!("{items} items"), digest.finish());
        Ok(Self { task, files, info, items, limit })
    }

    /// The task.
    #[must_use]
    pub const fn task(&self) -> &Task {
        &self.task
    }

    /// The name of the file, how many items there are, and their digest.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// How many items there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a set of none cannot be made")]
    pub const fn len(&self) -> usize {
        self.items
    }

    /// The most items that were asked for.
    pub(super) const fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// Reads the items once more.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn items(&self) -> Result<TaskItems<'_>> {
        let records = Records::open(&self.task, &self.files)?;
        Ok(TaskItems { set: self, records, digest: DigestBuilder::new(), read: 0 })
    }

    /// The error with the file that the row is in.
    pub(super) fn place(&self, error: Error, line: u64) -> Error {
        place(error, &self.files, line)
    }
}

fn item(task: &Task, files: &[PathBuf], record: &Record) -> Result<TaskItem> {
    task.item(record.line, &record.fields).map_err(|e| place(e, files, record.line))
}

fn place(error: Error, files: &[PathBuf], line: u64) -> Error {
    match files.first() {
        Some(file) => error.with_path(file).with_line(line),
        None => error,
    }
}

fn add(digest: &mut DigestBuilder, record: Record) {
    digest.update(Value::Object(record.fields).to_string());
}

/// The items of a [`TaskSet`], one at a time.
#[derive(Debug)]
pub struct TaskItems<'a> {
    set: &'a TaskSet,
    records: Records<'a>,
    digest: DigestBuilder,
    read: usize,
}

impl TaskItems<'_> {
    /// Passes over the next `count` items.
    pub(super) fn skip_items(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.record()?;
        }
        Ok(())
    }

    /// The next record, if there is one that the set has.
    fn record(&mut self) -> Result<Option<Record>> {
        if self.read == self.set.items {
            return Ok(None);
        }
        let Some(record) = self.records.next().transpose()? else {
            return Err(self.changed());
        };
        self.read += 1;
        add(&mut self.digest, record.clone());
        if self.read == self.set.items && self.digest() != self.set.info.digest {
            return Err(self.changed());
        }
        Ok(Some(record))
    }

    fn digest(&mut self) -> Digest {
        std::mem::take(&mut self.digest).finish()
    }

    fn changed(&self) -> Error {
        let message = "the rows are others than before";
        Error::new(ErrorKind::Incompatible, COMPONENT, "read a task's items", message)
            .with_path(self.records.path())
            .with_remedy("leave the file alone while it is read, and begin again")
    }
}

impl Iterator for TaskItems<'_> {
    type Item = Result<TaskItem>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.record() {
            Ok(record) => record?,
            Err(error) => return Some(Err(error)),
        };
        Some(item(&self.set.task, &self.set.files, &record))
    }
}
