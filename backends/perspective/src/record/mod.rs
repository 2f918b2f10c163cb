//! Answers of a service, kept in a file for the time when there is none.

mod date;
mod entry;
mod recorder;
mod replay;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use detoxlm_core::row_store::{RowKey, RowStore};
use detoxlm_core::{Error, ErrorKind, Result};

pub use recorder::{Recorded, Recorder};
pub use replay::Replay;

use self::entry::{Entry, KIND};
use crate::Perspective;
use crate::options::Question;
use crate::reply::Reply;

/// The file, shared by the calls under way.
#[derive(Clone, Debug)]
pub(crate) struct Record(Arc<Mutex<RowStore<Entry>>>);

impl Record {
    /// Opens a file to add to, which need not exist; all in it must be answers of `endpoint` to
    /// `question`.
    fn open(path: &Path, endpoint: &str, question: &Question) -> Result<Self> {
        let store =
            RowStore::open(path, KIND, |entry: &Entry| entry.check(path, endpoint, question))?;
        if !store.is_writable() {
            return Err(Error::new(
                ErrorKind::Locked,
                KIND.component,
                KIND.operation,
                "another process records here",
            )
            .with_path(path)
            .with_remedy("wait for it or stop it, or record in a file of its own"));
        }
        Ok(Self(Arc::new(Mutex::new(store))))
    }

    /// Adds a reply that will not change; others are forgotten.
    pub(crate) async fn keep(&self, text: &str, scorer: &Perspective, reply: &Reply) -> Result<()> {
        if !reply.is_lasting() {
            return Ok(());
        }
        let Ok(asked) = scorer.question().plan(text) else { return Ok(()) };
        let entry = Entry::new(text, asked, scorer.endpoint(), scorer.question(), reply)?;
        self.with_store(move |store| store.add(&[entry])).await
    }

    /// The replies to texts of these keys, where they are known.
    async fn find(&self, keys: Vec<RowKey>) -> Result<Vec<Option<Reply>>> {
        let entries = self.with_store(move |store| store.find(&keys)).await?;
        Ok(entries.into_iter().map(|entry| entry.map(Entry::into_reply)).collect())
    }

    /// Calls the store on a thread that may block.
    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut RowStore<Entry>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.0);
        // A panic while it is held leaves nothing half done: rows are appended in one write.
        let work = move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await.map_err(|e| {
            Error::new(ErrorKind::Internal, KIND.component, KIND.operation, e.to_string())
                .with_source(e)
        })?
    }
}
