//! A file of rows that are found by their key: appended to, never rewritten.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::create_directory;
use crate::lock::FileLock;
use crate::{Digest, Error, ErrorKind, Result};

/// A SHA-256 by which a row is found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey([u8; 32]);

impl RowKey {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

impl From<[u8; 32]> for RowKey {
    fn from(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl From<&Digest> for RowKey {
    fn from(digest: &Digest) -> Self {
        // A digest is always such a text.
        Self::from_hex(digest.as_str()).unwrap_or(Self([0; 32]))
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

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

#[cfg(test)]
mod tests {
    use std::fs;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Word {
        key: String,
        word: String,
    }

    impl KeyedRow for Word {
        fn key(&self) -> Option<RowKey> {
            RowKey::from_hex(&self.key)
        }
    }

    const KIND: RowKind = RowKind {
        component: "test",
        operation: "remember words",
        not_a_row: "not a word",
        remedy: "remove it",
    };

    fn word(word: &str) -> Word {
        Word { key: Digest::of(word).to_string(), word: word.into() }
    }

    fn key(word: &str) -> RowKey {
        RowKey::from(&Digest::of(word))
    }

    #[test]
    fn a_kill_at_any_byte_loses_the_row_under_way_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new").join("words.jsonl");
        let mut store = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
        store.add(&[word("naïve"), word("你好")]).unwrap();
        drop(store);
        let whole = fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for end in first..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            // A reader leaves the file as it is; a writer cuts it.
            let mut seen = 0;
            let reader = RowStore::<Word>::read(&path, KIND, |_| {
                seen += 1;
                Ok(())
            });
            assert_eq!((reader.unwrap().len(), seen), (1, 1), "{end}");
            assert_eq!(fs::read(&path).unwrap().len(), end);
            let mut store = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
            assert_eq!(store.find(&[key("你好")]).unwrap(), [None]);
            store.add(&[word("你好")]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole, "{end}");
        }
    }

    #[test]
    fn one_writes_and_others_read_what_is_added() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("words.jsonl");
        let mut writer = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
        let mut reader = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
        assert!(writer.is_writable() && !reader.is_writable());
        assert_eq!(reader.find(&[key("one")]).unwrap(), [None]);
        writer.add(&[word("one")]).unwrap();
        reader.add(&[word("two")]).unwrap();
        assert_eq!(reader.find(&[key("two"), key("one")]).unwrap(), [None, Some(word("one"))]);
        assert!(writer.contains(key("one")) && !writer.contains(key("two")));
        let mut snapshot = RowStore::<Word>::read(&path, KIND, |_| Ok(())).unwrap();
        writer.add(&[word("three")]).unwrap();
        assert_eq!(snapshot.find(&[key("three")]).unwrap(), [None]);
    }

    #[test]
    fn a_foreign_line_is_named_and_a_missing_file_is_only_an_error_to_a_reader() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("words.jsonl");
        let missing = RowStore::<Word>::read(&path, KIND, |_| Ok(())).unwrap_err();
        assert_eq!((missing.kind(), missing.path()), (ErrorKind::NotFound, Some(path.as_path())));
        RowStore::open(&path, KIND, |_| Ok(())).unwrap().add(&[word("one")]).unwrap();
        for line in ["{}", "\u{fffd}", r#"{"key":"éé","word":"w"}"#] {
            let rows = format!("{}{line}\n", fs::read_to_string(&path).unwrap());
            let foreign = directory.path().join("foreign.jsonl");
            fs::write(&foreign, rows).unwrap();
            let error = RowStore::<Word>::open(&foreign, KIND, |_| Ok(())).unwrap_err();
            assert_eq!((error.kind(), error.line_number()), (ErrorKind::InvalidInput, Some(2)));
            assert_eq!((error.message(), error.remedy()), ("not a word", Some("remove it")));
        }
    }

    #[test]
    fn the_later_of_two_rows_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("words.jsonl");
        let mut store = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
        let later = Word { word: "later".into(), ..word("one") };
        store.add(&[word("one")]).unwrap();
        store.add(&[later]).unwrap();
        assert_eq!(store.len(), 1);
        assert_eq!(store.find(&[key("one")]).unwrap()[0].as_ref().unwrap().word, "later");
    }
}
