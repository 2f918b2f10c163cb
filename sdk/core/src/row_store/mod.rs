//! A file of rows that are found by their key: appended to, never rewritten.

mod key;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use key::RowKey;

use crate::files::create_directory;
use crate::lock::FileLock;
use crate::{Error, ErrorKind, Result};

/// A row that knows its key.
pub trait KeyedRow: Serialize + DeserializeOwned + Send + 'static {
    /// The key; `None` when what was read has none, and is no row of this kind.
    fn key(&self) -> Option<RowKey>;
}

/// What a store calls itself and its rows in errors.
#[derive(Clone, Copy, Debug)]
pub struct RowKind {
    /// The component, such as `scoring`.
    pub component: &'static str,
    /// What it does, such as `remember verdicts`.
    pub operation: &'static str,
    /// What a line is that cannot be read, such as `not a verdict that was remembered`.
    pub not_a_row: &'static str,
    /// What the user can do about such a line.
    pub remedy: &'static str,
}

/// Rows on disk, one JSON object a line, and where each lies.
///
/// One process writes, any number read at the same time and see what is appended. A process that is
/// killed loses at most the rows that it was writing: what it left of them is cut off by the next
/// writer and passed over by readers. Where a key occurs twice, the later row counts.
#[derive(Debug)]
pub struct RowStore<R> {
    path: PathBuf,
    kind: RowKind,
    /// None for a process that only reads.
    writer: Option<(File, FileLock)>,
    /// Whether rows that are appended later are seen.
    follows: bool,
    /// Begin and length of rows.
    rows: HashMap<RowKey, (u64, u32)>,
    /// Bytes of complete rows that have been indexed.
    indexed: u64,
    lines: u64,
    of: std::marker::PhantomData<fn() -> R>,
}

impl<R: KeyedRow> RowStore<R> {
    /// Opens a file, which need not exist, to read and, unless another process does, to write, and
    /// shows every row as it lies there.
    ///
    /// # Errors
    /// When it cannot be read or made, a line is no row of this kind (it is named), or `see` refuses
    /// one.
    pub fn open(
        path: impl Into<PathBuf>,
        kind: RowKind,
        mut see: impl FnMut(&R) -> Result<()>,
    ) -> Result<Self> {
        let mut store = Self::empty(path.into(), kind, true);
        if let Some(folder) = store.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_directory(folder)?;
        }
        let lock = match FileLock::beside(&store.path) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == ErrorKind::Locked => None,
            Err(error) => return Err(error),
        };
        store.index(&mut see)?;
        if let Some(lock) = lock {
            let file = OpenOptions::new().append(true).create(true).open(&store.path);
            let file = file.map_err(|e| store.failed(e))?;
            // What a killed process left of a row.
            file.set_len(store.indexed).map_err(|e| store.failed(e))?;
            store.writer = Some((file, lock));
        }
        Ok(store)
    }

    /// Opens an existing file to read as it is now, and shows every row as it lies there. What is
    /// appended later is not seen.
    ///
    /// # Errors
    /// When it cannot be read, a line is no row of this kind, or `see` refuses one.
    pub fn read(
        path: impl Into<PathBuf>,
        kind: RowKind,
        mut see: impl FnMut(&R) -> Result<()>,
    ) -> Result<Self> {
        let mut store = Self::empty(path.into(), kind, false);
        File::open(&store.path).map_err(|e| store.failed(e))?;
        store.index(&mut see)?;
        Ok(store)
    }

    fn empty(path: PathBuf, kind: RowKind, follows: bool) -> Self {
        Self {
            path,
            kind,
            writer: None,
            follows,
            rows: HashMap::new(),
            indexed: 0,
            lines: 0,
            of: std::marker::PhantomData,
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether rows can be added; another process may be the one that does.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.writer.is_some()
    }

    /// Whether a row of this key has been seen.
    #[must_use]
    pub fn contains(&self, key: RowKey) -> bool {
        self.rows.contains_key(&key)
    }

    fn failed(&self, e: std::io::Error) -> Error {
        Error::io(self.kind.component, self.kind.operation, &self.path, e)
    }

    /// Indexes the complete rows that have been appended since.
    fn index(&mut self, see: &mut dyn FnMut(&R) -> Result<()>) -> Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(self.failed(e)),
        };
        if file.metadata().map_err(|e| self.failed(e))?.len() == self.indexed {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.indexed)).map_err(|e| self.failed(e))?;
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|e| self.failed(e))?;
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            self.lines += 1;
            let row: Option<R> = serde_json::from_slice(&line).ok();
            let keyed = row.and_then(|row| row.key().map(|key| (key, row)));
            let length = u32::try_from(read).ok();
            let (Some((key, row)), Some(length)) = (keyed, length) else {
                let kind = self.kind;
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    kind.component,
                    kind.operation,
                    kind.not_a_row,
                )
                .with_path(&self.path)
                .with_line(self.lines)
                .with_remedy(kind.remedy));
            };
            see(&row)?;
            self.rows.insert(key, (self.indexed, length));
            self.indexed += u64::from(length);
        }
    }

    /// The rows of keys, where they are known.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&mut self, keys: &[RowKey]) -> Result<Vec<Option<R>>> {
        if self.follows && keys.iter().any(|key| !self.rows.contains_key(key)) {
            self.index(&mut |_| Ok(()))?;
        }
        if self.rows.is_empty() {
            return Ok(keys.iter().map(|_| None).collect());
        }
        let mut file = File::open(&self.path).map_err(|e| self.failed(e))?;
        let mut line = Vec::new();
        let row = |key: &RowKey| -> Result<Option<R>> {
            let Some(&(begin, length)) = self.rows.get(key) else { return Ok(None) };
            line.resize(length as usize, 0);
            file.seek(SeekFrom::Start(begin)).map_err(|e| self.failed(e))?;
            file.read_exact(&mut line).map_err(|e| self.failed(e))?;
            serde_json::from_slice(&line).map(Some).map_err(|e| {
                let RowKind { component, operation, .. } = self.kind;
                Error::new(ErrorKind::InvalidInput, component, operation, e.to_string())
                    .with_path(&self.path)
                    .with_source(e)
            })
        };
        keys.iter().map(row).collect()
    }

    /// Appends rows in one write, unless another process writes here.
    ///
    /// # Errors
    /// When they cannot be written; none of them is then in the file.
    pub fn add(&mut self, rows: &[R]) -> Result<()> {
        let Some((file, _)) = &mut self.writer else { return Ok(()) };
        let RowKind { component, operation, not_a_row, .. } = self.kind;
        let internal = |message: String| {
            Error::new(ErrorKind::Internal, component, operation, message).with_path(&self.path)
        };
        let mut text = Vec::new();
        let mut placed = Vec::new();
        for row in rows {
            let begin = text.len();
            serde_json::to_writer(&mut text, row)
                .map_err(|e| internal(e.to_string()).with_source(e))?;
            text.push(b'\n');
            let length = u32::try_from(text.len() - begin).ok();
            let (Some(key), Some(length)) = (row.key(), length) else {
                return Err(internal(not_a_row.to_owned()));
            };
            placed.push((key, (self.indexed + begin as u64, length)));
        }
        if let Err(e) = file.write_all(&text) {
            // A part of it may be there, as after a kill.
            let _ = file.set_len(self.indexed);
            return Err(Error::io(component, operation, &self.path, e));
        }
        self.indexed += text.len() as u64;
        self.lines += placed.len() as u64;
        self.rows.extend(placed);
        Ok(())
    }
}
