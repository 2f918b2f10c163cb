//! From a text to the token windows that the model reads.

use detoxlm_core::{Error, ErrorKind, Result};
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use crate::files::{CONFIG, TOKENIZER};
use crate::source::ClassifierSource;
use crate::{COMPONENT, OnnxOptions};

const OPERATION: &str = "prepare the tokenizer";
/// What a model reads at once when neither the options nor its files say.
const DEFAULT_MAX_TOKENS: usize = 512;

/// The tokens of one window, special tokens included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) ids: Vec<u32>,
    pub(crate) type_ids: Vec<u32>,
}

/// A tokenizer that cuts long texts into overlapping windows.
#[derive(Debug)]
pub(crate) struct Windower {
    tokenizer: Tokenizer,
    /// Tokens of text in a window, without the special ones.
    capacity: usize,
    /// Tokens that two windows share.
    stride: usize,
    pad_id: u32,
}

impl Windower {
    pub(crate) fn open(source: &ClassifierSource, options: &OnnxOptions) -> Result<Self> {
        let path = source.files.path(TOKENIZER);
        let bytes = source.files.require(TOKENIZER)?;
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, "not a tokenizer.json")
                .with_path(&path)
                .with_source(e)
        })?;
        let max_tokens = options
            .max_tokens
            .or_else(|| source.positions())
            .or_else(|| tokenizer.get_truncation().map(|truncation| truncation.max_length))
            .unwrap_or(DEFAULT_MAX_TOKENS);
        if let Some(positions) = source.positions().filter(|&positions| positions < max_tokens) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                OPERATION,
                format!("{max_tokens} tokens, where the model has positions for {positions}"),
            )
            .with_path(source.files.path(CONFIG))
            .with_key("max_tokens"));
        }
        let pad_id = source
            .pad_id()
            .or_else(|| tokenizer.get_padding().map(|padding| padding.pad_id))
            .unwrap_or(0);
        let special = tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(false));
        let Some(capacity) = max_tokens.checked_sub(special).filter(|&capacity| capacity > 0)
        else {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                OPERATION,
                format!("{max_tokens} tokens have no room for text beside {special} special ones"),
            )
            .with_path(&path)
            .with_key("max_tokens"));
        };
        // A saved rule would cut or fill texts behind our back.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, "its truncation is fixed")
                .with_path(&path)
                .with_source(e)
        })?;
        // An overlap below 1 may round to 1; each window has to begin after the last.
        let stride = ((capacity as f32 * options.windows.overlap) as usize).min(capacity - 1);
        Ok(Self { tokenizer, capacity, stride, pad_id })
    }

    /// The windows of a text, in its order; none when the tokenizer leaves nothing of it.
    pub(crate) fn windows(&self, text: &str) -> Result<Vec<Window>, String> {
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(|e| e.to_string())?;
        if encoding.is_empty() {
            return Ok(Vec::new());
        }
        // What is cut off stays with it as further encodings, and special tokens go around each. The
        // tokenizer's own truncation would do the same, but version 0.23.2 loses what it cuts off.
        encoding.truncate(self.capacity, self.stride, TruncationDirection::Right);
        let encoding =
            self.tokenizer.post_process(encoding, None, true).map_err(|e| e.to_string())?;
        Ok(std::iter::once(&encoding)
            .chain(encoding.get_overflowing())
            .map(|part| Window {
                ids: part.get_ids().to_vec(),
                type_ids: part.get_type_ids().to_vec(),
            })
            .collect())
    }

    /// What shorter windows of a batch are filled up with.
    pub(crate) const fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// The highest id that a text can have.
    pub(crate) fn highest_id(&self) -> u32 {
        self.tokenizer.get_vocab(true).into_values().max().unwrap_or(0)
    }

    /// What it does, for a digest.
    pub(crate) fn description(&self) -> String {
        format!("window {} stride {} pad {}", self.capacity, self.stride, self.pad_id)
    }
}
