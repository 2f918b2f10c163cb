use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::calls::expect_answers;
use crate::row_store::{KeyedRow, RowKey, RowKind, RowStore};
use crate::worker::blocking;
use crate::{Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Unscored, Verdict};

type Store = RowStore<Row>;

const KIND: RowKind = RowKind {
    component: "scoring",
    operation: "remember verdicts",
    not_a_row: "not a verdict that was remembered",
    remedy: "remove the file: its texts are then scored again",
};

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
        let store = Store::open(folder.join("verdicts.jsonl"), KIND, |_| Ok(()))?;
        let store = Arc::new(Mutex::new(store));
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
        let keys: Vec<RowKey> = samples.iter().map(key_of).collect();
        let wanted = keys.clone();
        let rows = self.with_store(move |store| store.find(&wanted)).await?;
        let mut known: Vec<Option<Verdict>> =
            rows.into_iter().map(|row| row.map(|row| row.verdict)).collect();
        // Texts that occur twice in a call are asked for once.
        let mut asked: BTreeMap<RowKey, usize> = BTreeMap::new();
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
            let rows: Vec<Row> = asked
                .into_iter()
                .map(|(key, index)| Row { key: key.to_string(), verdict: answers[index].clone() })
                .filter(|row| !matches!(row.verdict, Verdict::Unscored(Unscored::Failed(_))))
                .collect();
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
fn key_of(sample: &Sample) -> RowKey {
    let mut hash = Sha256::new();
    // The length keeps the prompt's end apart from the text's beginning.
    hash.update((sample.prompt.len() as u64).to_le_bytes());
    hash.update(&sample.prompt);
    hash.update(&sample.text);
    RowKey::from(<[u8; 32]>::from(hash.finalize()))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    verdict: Verdict,
}

impl KeyedRow for Row {
    fn key(&self) -> Option<RowKey> {
        RowKey::from_hex(&self.key)
    }
}
