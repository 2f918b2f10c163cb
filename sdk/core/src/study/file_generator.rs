//! The texts of a file, as if a model wrote them: what rates and selects a self-generated corpus then
//! does the same with any other.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::corpus::{Texts, read_texts};
use crate::worker::blocking;
use crate::{
    Digest, FinishReason, Generation, GenerationRequest, Generator, GeneratorCapabilities, Info,
    Result,
};

/// Request `id` is answered with the file's text `id`, counted from 0.
pub(super) struct FileGenerator {
    info: Info,
    capabilities: GeneratorCapabilities,
    file: PathBuf,
    reader: Mutex<Option<Reader>>,
}

/// An open file and the number of its next text.
struct Reader {
    texts: Texts,
    next: u64,
}

impl FileGenerator {
    pub(super) fn new(file: PathBuf, digest: Digest) -> Self {
        Self {
            info: Info::new("file", env!("CARGO_PKG_VERSION"), digest),
            capabilities: GeneratorCapabilities::new().with_batch_invariance(true),
            file,
            reader: Mutex::new(None),
        }
    }
}

impl Reader {
    /// The text of a number, if there is one. Going back begins again.
    fn text(&mut self, id: u64, file: &PathBuf) -> Result<Option<String>> {
        if id < self.next {
            *self = Self { texts: read_texts(file)?, next: 0 };
        }
        while self.next < id {
            if self.texts.next().transpose()?.is_none() {
                return Ok(None);
            }
            self.next += 1;
        }
        self.next += 1;
        self.texts.next().transpose()
    }
}

#[async_trait]
impl Generator for FileGenerator {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &GeneratorCapabilities {
        &self.capabilities
    }

    async fn generate(&self, requests: &[GenerationRequest]) -> Result<Vec<Vec<Generation>>> {
        let mut held = self.reader.lock().await;
        let (reader, file) = (held.take(), self.file.clone());
        let ids: Vec<u64> = requests.iter().map(|request| request.id).collect();
        let (reader, answers) = blocking(move || {
            let mut reader = match reader {
                Some(reader) => reader,
                None => Reader { texts: read_texts(&file)?, next: 0 },
            };
            let mut answers = Vec::with_capacity(ids.len());
            for id in ids {
                let text = reader.text(id, &file)?.unwrap_or_default();
                // No model drew a token.
                answers.push(vec![Generation { text, finish: FinishReason::Stop, tokens: 0 }]);
            }
            Ok((reader, answers))
        })
        .await?;
        *held = Some(reader);
        Ok(answers)
    }
}

impl fmt::Debug for FileGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileGenerator").field("file", &self.file).finish_non_exhaustive()
    }
}
