use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::calls::expect_answers;
use crate::lock::DirectoryLock;
use crate::worker::blocking;
use crate::{
    Error, ErrorKind, Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Unscored, Verdict,
};

const OPERATION: &str = "remember verdicts";

/// Remembers verdicts on disk: a text that was scored once is not scored again, by this scorer, in
/// this run or any other.
///
/// In the directory lies one folder for each scorer's digest, with one file to which rows
/// `{"key", "verdict"}` are only ever appended; the key is the SHA-256 of prompt and text, bytes as
/// they are. One process writes a folder, any number read it at the same time and see what is
/// appended. A process that is killed loses at most the rows that it was writing. Failures
/// ([`Unscored::Failed`]) are not remembered: they may pass.
pub struct Cached {
    inner: Arc<dyn ToxicityScorer>,
    store: Arc<Mutex<Store>>,
}

impl Cached {
    /// Remembers in a directory, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be read or made, or its file is not of this kind: the line is named.
    pub fn open(inner: Arc<dyn ToxicityScorer>, directory: impl AsRef<Path>) -> Result<Self> {
        let folder = directory.as_ref().join(inner.info().digest.as_str());
        let store = Arc::new(Mutex::new(Store::open(&folder)?));
        Ok(Self { inner, store })
    }

    /// Calls the store on a thread that may block.
    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        // A panic while it is held leaves nothing half done: rows are appended in one write.
        blocking(move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[async_trait]
impl ToxicityScorer for Cached {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let keys: Vec<Key> = samples.iter().map(Key::of).collect();
        let wanted = keys.clone();
        let mut known = self.with_store(move |store| store.find(&wanted)).await?;
        // Texts that occur twice in a call are asked for once.
        let mut asked: BTreeMap<Key, usize> = BTreeMap::new();
        let mut questions = Vec::new();
        for ((key, sample), known) in keys.iter().zip(samples).zip(&known) {
            if known.is_none() && !asked.contains_key(key) {
                asked.insert(*key, questions.len());
                questions.push(sample.clone());
            }
        }
        if !questions.is_empty() {
            let answers = self.inner.score(&questions).await?;
            expect_answers(self.inner.info(), questions.len(), answers.len())?;
            for (key, known) in keys.iter().zip(&mut known) {
                if known.is_none() {
                    *known = asked.get(key).map(|&index| answers[index].clone());
                }
            }
            let rows: Vec<(Key, Verdict)> =
                asked.into_iter().map(|(key, index)| (key, answers[index].clone())).collect();
            self.with_store(move |store| store.add(&rows)).await?;
        }
        Ok(known.into_iter().flatten().collect())
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// What a verdict depends on, given its scorer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key([u8; 32]);

impl Key {
    fn of(sample: &Sample) -> Self {
        let mut hash = Sha256::new();
        // The length keeps the prompt's end apart from the text's beginning.
        hash.update((sample.prompt.len() as u64).to_le_bytes());
        hash.update(&sample.prompt);
        hash.update(&sample.text);
        Self(hash.finalize().into())
    }

    fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    verdict: Verdict,
}

/// A scorer's file and where each key's row lies in it.
struct Store {
    path: PathBuf,
    /// None for a process that only reads.
    writer: Option<(File, DirectoryLock)>,
    /// Begin and length of rows.
    rows: HashMap<Key, (u64, u32)>,
    /// Bytes of complete rows that have been indexed.
    indexed: u64,
    lines: u64,
}

impl Store {
    fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("verdicts.jsonl");
        let lock = match DirectoryLock::acquire(folder) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == ErrorKind::Locked => None,
            Err(error) => return Err(error),
        };
        let mut store = Self { path, writer: None, rows: HashMap::new(), indexed: 0, lines: 0 };
        store.index()?;
        if let Some(lock) = lock {
            let file = OpenOptions::new().append(true).create(true).open(&store.path);
            let file = file.map_err(|e| store.failed(e))?;
            // What a killed process left of a row.
            file.set_len(store.indexed).map_err(|e| store.failed(e))?;
            store.writer = Some((file, lock));
        }
        Ok(store)
    }

    fn failed(&self, e: std::io::Error) -> Error {
        Error::io("scoring", OPERATION, &self.path, e)
    }

    /// Indexes the complete rows that have been appended since.
    fn index(&mut self) -> Result<()> {
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
        let mut line = String::new();
        loop {
            line.clear();
            let read = reader.read_line(&mut line).map_err(|e| self.failed(e))?;
            if !line.ends_with('\n') {
                return Ok(());
            }
            self.lines += 1;
            let row: Option<Row> = serde_json::from_str(&line).ok();
            let Some(key) = row.and_then(|row| Key::from_hex(&row.key)) else {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "scoring",
                    OPERATION,
                    "not a verdict that was remembered",
                )
                .with_path(&self.path)
                .with_line(self.lines)
                .with_remedy("remove the file: its texts are then scored again"));
            };
            self.rows.insert(key, (self.indexed, read as u32));
            self.indexed += read as u64;
        }
    }

    /// The verdicts of keys, where they are known.
    fn find(&mut self, keys: &[Key]) -> Result<Vec<Option<Verdict>>> {
        if keys.iter().any(|key| !self.rows.contains_key(key)) {
            self.index()?;
        }
        if self.rows.is_empty() {
            return Ok(vec![None; keys.len()]);
        }
        let mut file = File::open(&self.path).map_err(|e| self.failed(e))?;
        let mut line = Vec::new();
        let verdict = |key: &Key| -> Result<Option<Verdict>> {
            let Some(&(begin, length)) = self.rows.get(key) else { return Ok(None) };
            line.resize(length as usize, 0);
            file.seek(SeekFrom::Start(begin)).map_err(|e| self.failed(e))?;
            file.read_exact(&mut line).map_err(|e| self.failed(e))?;
            let row: Row = serde_json::from_slice(&line).map_err(|e| {
                Error::new(ErrorKind::InvalidInput, "scoring", OPERATION, e.to_string())
                    .with_path(&self.path)
                    .with_source(e)
            })?;
            Ok(Some(row.verdict))
        };
        keys.iter().map(verdict).collect()
    }

    /// Appends what may be remembered, unless another process writes here.
    fn add(&mut self, rows: &[(Key, Verdict)]) -> Result<()> {
        let Some((file, _)) = &mut self.writer else { return Ok(()) };
        let mut text = Vec::new();
        let mut placed = Vec::new();
        for (key, verdict) in rows {
            if matches!(verdict, Verdict::Unscored(Unscored::Failed(_))) {
                continue;
            }
            let begin = text.len();
            let row = Row { key: key.to_hex(), verdict: verdict.clone() };
            serde_json::to_writer(&mut text, &row).map_err(|e| {
                Error::new(ErrorKind::Internal, "scoring", OPERATION, e.to_string()).with_source(e)
            })?;
            text.push(b'\n');
            placed.push((*key, self.indexed + begin as u64, (text.len() - begin) as u32));
        }
        if let Err(e) = file.write_all(&text) {
            // A part of it may be there, as after a kill.
            let _ = file.set_len(self.indexed);
            return Err(Error::io("scoring", OPERATION, &self.path, e));
        }
        self.indexed += text.len() as u64;
        self.lines += placed.len() as u64;
        self.rows.extend(placed.into_iter().map(|(key, begin, length)| (key, (begin, length))));
        Ok(())
    }
}
