use crate::causal_lm::Tokenizer;
use crate::{Error, ErrorKind, Result};

/// A token for each byte, and one that begins and ends documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByteTokenizer;

impl ByteTokenizer {
    /// The token that begins and ends documents.
    pub const END: u32 = 256;
    /// How many tokens there are.
    pub const SIZE: usize = 257;
}

impl Tokenizer for ByteTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn decode(&self, ids: &[u32]) -> Result<String> {
        let bytes: Result<Vec<u8>> = ids
            .iter()
            .filter(|&&id| id != Self::END)
            .map(|&id| {
                u8::try_from(id).map_err(|e| {
                    Error::new(ErrorKind::InvalidInput, "testing", "decode ids", "not a byte")
                        .with_key(id.to_string())
                        .with_source(e)
                })
            })
            .collect();
        Ok(String::from_utf8_lossy(&bytes?).into_owned())
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn bos(&self) -> u32 {
        Self::END
    }

    fn eos(&self) -> &[u32] {
        &[Self::END]
    }

    fn prepends_bos(&self) -> bool {
        true
    }
}
