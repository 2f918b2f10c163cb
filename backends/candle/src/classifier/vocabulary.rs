//! Byte-level byte-pair encoding over lower-cased text, made from the texts to be learned from.

use std::path::Path;

use detoxlm_core::{Error, ErrorKind, Result};
use rayon::prelude::*;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::{Lowercase, NFKC, Replace, Sequence, Strip};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer, TokenizerBuilder};

use crate::error::error;

const OPERATION: &str = "make the vocabulary";

/// What fills rows up where texts of different lengths are scored together: token 0.
const PADDING: &str = "<pad>";

/// Typographic quotes are read as typed ones.
const QUOTES: [(&str, &str); 4] = [("’", "'"), ("‘", "'"), ("“", "\""), ("”", "\"")];

fn failed(e: tokenizers::Error) -> Error {
    error(ErrorKind::Internal, OPERATION, e.to_string()).with_source(e)
}

/// A `tokenizer.json` of at most `size` tokens. The same texts give the same bytes.
pub(super) fn train<'a>(
    texts: impl Iterator<Item = &'a str> + Send,
    size: usize,
) -> Result<String> {
    let mut normalizers = vec![NFKC.into(), Lowercase.into()];
    for (typographic, typed) in QUOTES {
        normalizers.push(Replace::new(typographic, typed).map_err(failed)?.into());
    }
    normalizers.push(Strip::new(true, true).into());
    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(PADDING, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut tokenizer = TokenizerBuilder::default()
        .with_model(BPE::default())
        .with_normalizer(Some(NormalizerWrapper::Sequence(Sequence::new(normalizers))))
        .with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(true)))
        .with_post_processor(None::<ByteLevel>)
        .with_decoder(Some(ByteLevel::default()))
        .build()
        .map_err(failed)?;
    tokenizer.train(&mut trainer, texts).map_err(failed)?;
    tokenizer.to_string(false).map_err(failed)
}

/// A trained vocabulary.
#[derive(Debug)]
pub(super) struct Vocabulary(Tokenizer);

impl Vocabulary {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Tokenizer::from_file(path).map(Self).map_err(|e| {
            error(ErrorKind::InvalidInput, OPERATION, "not a tokenizer.json")
                .with_path(path)
                .with_remedy("remove the file: it is made anew")
                .with_source(e)
        })
    }

    pub(super) fn size(&self) -> usize {
        self.0.get_vocab_size(true)
    }

    /// The ids of each text.
    pub(super) fn encode<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>> {
        let ids = |text: &T| {
            let encoding = self.0.encode_fast(text.as_ref(), false).map_err(failed)?;
            Ok(encoding.get_ids().to_vec())
        };
        texts.par_iter().map(ids).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_texts_give_the_same_bytes_and_ties_do_not_matter() {
        // Every pair of letters is as frequent as any other.
        let letters = "abcdefghijklmnopqrstuvwxyz";
        let texts: Vec<String> = letters
            .chars()
            .flat_map(|one| letters.chars().map(move |other| format!("{one}{other} {one}{other}x")))
            .collect();
        let train = || train(texts.iter().map(String::as_str), 700).unwrap();
        let first = train();
        for _ in 0..4 {
            assert!(train() == first, "another vocabulary");
        }
    }

    #[test]
    fn case_quotes_and_outer_spaces_do_not_count() {
        let texts = ["it's a kind word, and a kind word is kind"; 3];
        let json = train(texts.into_iter(), 300).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        std::fs::write(&path, json).unwrap();
        let vocabulary = Vocabulary::open(&path).unwrap();
        assert!(vocabulary.size() > 257 && vocabulary.size() <= 300);
        let ids = vocabulary.encode(&["It’s  KIND ", "it's  kind", " \n", "\u{3000}é"]).unwrap();
        assert_eq!(ids[0], ids[1]);
        assert!(ids[2].is_empty());
        assert!(!ids[3].is_empty() && ids.iter().flatten().all(|&id| id > 0));
    }
}
