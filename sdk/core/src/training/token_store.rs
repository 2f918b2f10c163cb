//! The corpus as token ids on disk, so that memory does not grow with it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::causal_lm::Tokenizer;
use crate::corpus::read_texts;
use crate::files::AtomicFile;
use crate::worker::Cancellation;
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "tokenize the corpus";

/// Documents as token ids, each ended by the end-of-sequence token.
#[derive(Debug)]
pub(super) struct TokenStore {
    path: PathBuf,
    tokens: File,
    index: File,
    documents: u64,
    total: u64,
}

impl TokenStore {
    /// Opens the store `name` in `directory`, or builds it from the files of a corpus.
    pub(super) fn open_or_build(
        directory: &Path,
        name: &str,
        files: &[PathBuf],
        tokenizer: &dyn Tokenizer,
        vocabulary: usize,
        cancellation: &Cancellation,
    ) -> Result<Self> {
        let tokens = directory.join(format!("{name}.tokens"));
        let index = directory.join(format!("{name}.index"));
        // The index is committed last: where it is, both are complete.
        if !index.is_file() {
            build(&tokens, &index, files, tokenizer, vocabulary, cancellation)?;
        }
        let open = |path: &Path| {
            let file = File::open(path).map_err(|e| Error::io("training", OPERATION, path, e))?;
            let bytes =
                file.metadata().map_err(|e| Error::io("training", OPERATION, path, e))?.len();
            Ok::<_, Error>((file, bytes))
        };
        let ((tokens, token_bytes), (index, index_bytes)) = (open(&tokens)?, open(&index)?);
        let (documents, total) = (index_bytes / 8, token_bytes / 4);
        if documents == 0 {
            return Err(Error::new(
                ErrorKind::Empty,
                "training",
                OPERATION,
                "there is no text to train on",
            )
            .with_path(files.first().cloned().unwrap_or_default())
            .with_remedy("every row needs a `text` that is not blank"));
        }
        Ok(Self { path: directory.join(name), tokens, index, documents, total })
    }

    /// How many documents.
    pub(super) const fn documents(&self) -> u64 {
        self.documents
    }

    /// How many tokens, those that end documents included.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Where document `number` begins and ends, in tokens.
    fn bounds(&mut self, number: u64) -> Result<(u64, u64)> {
        let mut bytes = [0_u8; 16];
        // The first document begins at 0, which the index does not spell out.
        let (from, into) =
            if number == 0 { (0, &mut bytes[8..]) } else { ((number - 1) * 8, &mut bytes[..]) };
        read_at(&mut self.index, from, into).map_err(|e| self.damaged(e))?;
        let value = |half: &[u8]| half.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b));
        Ok((value(&bytes[..8]), value(&bytes[8..])))
    }

    /// Appends tokens of document `number` from `offset` on, at most `most`, to `into`; says whether
    /// that was its end.
    pub(super) fn read(
        &mut self,
        number: u64,
        offset: u64,
        most: usize,
        into: &mut Vec<u32>,
    ) -> Result<bool> {
        let (begin, end) = self.bounds(number)?;
        let left = end.saturating_sub(begin + offset);
        let count = left.min(most as u64);
        let mut bytes = vec![0_u8; count as usize * 4];
        read_at(&mut self.tokens, (begin + offset) * 4, &mut bytes).map_err(|e| self.damaged(e))?;
        into.extend(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        Ok(count == left)
    }

    fn damaged(&self, error: std::io::Error) -> Error {
        Error::io("training", "read the tokenized corpus", &self.path, error)
            .with_remedy("delete it to have it made again")
    }
}

fn read_at(file: &mut File, from: u64, into: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    file.read_exact(into)
}

fn build(
    tokens_path: &Path,
    index_path: &Path,
    files: &[PathBuf],
    tokenizer: &dyn Tokenizer,
    vocabulary: usize,
    cancellation: &Cancellation,
) -> Result<()> {
    let failed = |e| Error::io("training", OPERATION, tokens_path, e);
    let end = tokenizer.eos().first().copied().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "training", OPERATION, "no token ends a document")
    })?;
    // Where one token both begins and ends documents, the end of one is the beginning of the next.
    let begin = (tokenizer.prepends_bos() && tokenizer.bos() != end).then(|| tokenizer.bos());
    let mut tokens = AtomicFile::create(tokens_path)?;
    let mut index = AtomicFile::create(index_path)?;
    let mut total = 0_u64;
    for file in files {
        for text in read_texts(file)? {
            cancellation.check()?;
            let text = text?;
            if text.trim().is_empty() {
                continue;
            }
            let ids = tokenizer.encode(&text)?;
            for id in begin.iter().chain(&ids).chain([&end]) {
                if *id as usize >= vocabulary {
                    return Err(Error::new(
                        ErrorKind::Incompatible,
                        "training",
                        OPERATION,
                        format!("token {id} is not in the model's vocabulary of {vocabulary}"),
                    )
                    .with_path(file)
                    .with_remedy("use the tokenizer that the model was trained with"));
                }
                tokens.write_all(&id.to_le_bytes()).map_err(failed)?;
                total += 1;
            }
            index.write_all(&total.to_le_bytes()).map_err(failed)?;
        }
    }
    tokens.commit()?;
    index.commit()
}
