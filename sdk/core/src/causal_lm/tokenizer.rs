use std::fmt::Debug;
use std::path::Path;

use crate::{Error, ErrorKind, Result};

/// Text to token ids and back.
///
/// # Contract
/// - `encode` adds no special tokens: a pipeline decides about those itself.
/// - `decode` leaves special tokens out.
/// - Ids lie below `size()`.
/// - `decode` refuses an id that does not.
pub trait Tokenizer: Debug + Send + Sync + 'static {
    /// The ids of a text.
    ///
    /// # Errors
    /// When the text cannot be encoded.
    fn encode(&self, text: &str) -> Result<Vec<u32>>;

    /// The text of ids.
    ///
    /// # Errors
    /// When an id is not below `size()`.
    fn decode(&self, ids: &[u32]) -> Result<String>;

    /// One more than the highest id.
    fn size(&self) -> usize;

    /// What a sequence begins with when nothing is given: the beginning-of-sequence token, or the
    /// end-of-sequence token of models that have only that (GPT-2).
    fn bos(&self) -> u32;

    /// The tokens that end a document; the first one joins documents in training.
    fn eos(&self) -> &[u32];

    /// Whether a prompt is preceded by `bos` (Llama: yes, GPT-2: no).
    fn prepends_bos(&self) -> bool;
}

/// A `tokenizer.json` of Hugging Face.
#[derive(Clone, Debug)]
pub struct HfTokenizer {
    inner: tokenizers::Tokenizer,
    bos: u32,
    eos: Vec<u32>,
    prepends_bos: bool,
    size: usize,
}

impl HfTokenizer {
    /// Reads a `tokenizer.json`, with the special ids that the model's configuration names.
    ///
    /// Whether prompts are preceded by `bos` is read off the tokenizer's own post-processor.
    ///
    /// # Errors
    /// When the file is missing or malformed, or a special id is not in its vocabulary.
    pub fn open(path: &Path, bos: u32, eos: Vec<u32>) -> Result<Self> {
        if !path.is_file() {
            return Err(Error::new(ErrorKind::NotFound, "tokenizer", "open", "no such file")
                .with_path(path)
                .with_remedy("a model directory needs a tokenizer.json"));
        }
        let mut inner = tokenizers::Tokenizer::from_file(path).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "tokenizer", "open", "not a tokenizer.json")
                .with_path(path)
                .with_source(e)
        })?;
        // A saved padding or truncation rule would silently change what is encoded.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| {
            Error::new(
                ErrorKind::InvalidInput,
                "tokenizer",
                "open",
                "its truncation cannot be lifted",
            )
            .with_path(path)
            .with_source(e)
        })?;
        let size =
            inner.get_vocab(true).into_values().max().map_or(0, |highest| highest as usize + 1);
        for (key, &id) in
            std::iter::once(("bos_token_id", &bos)).chain(eos.iter().map(|id| ("eos_token_id", id)))
        {
            if id as usize >= size {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "tokenizer",
                    "open",
                    format!("{id} is not in the tokenizer's vocabulary of {size}"),
                )
                .with_path(path)
                .with_key(key)
                .with_remedy("use the config.json and the tokenizer.json of the same model"));
            }
        }
        let prepends_bos = inner
            .encode_fast("", true)
            .is_ok_and(|encoding| encoding.get_ids().first() == Some(&bos));
        Ok(Self { inner, bos, eos, prepends_bos, size })
    }
}

impl Tokenizer for HfTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "tokenizer", "encode a text", e.to_string())
                .with_source(e)
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    fn decode(&self, ids: &[u32]) -> Result<String> {
        if let Some(unknown) = ids.iter().find(|&&id| id as usize >= self.size) {
            let message = format!("not in the vocabulary of {}", self.size);
            return Err(Error::new(ErrorKind::InvalidInput, "tokenizer", "decode ids", message)
                .with_key(format!("token {unknown}")));
        }
        self.inner.decode(ids, true).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "tokenizer", "decode ids", e.to_string())
                .with_source(e)
        })
    }

    fn size(&self) -> usize {
        self.size
    }

    fn bos(&self) -> u32 {
        self.bos
    }

    fn eos(&self) -> &[u32] {
        &self.eos
    }

    fn prepends_bos(&self) -> bool {
        self.prepends_bos
    }
}
