//! Text and tokens on their way into a model.

use std::path::PathBuf;

use detoxlm_core::causal_lm::{HfTokenizer, Tokenizer};
use detoxlm_core::corpus::read_texts;
use detoxlm_core::training::TokenBatch;
use detoxlm_core::{Error, ErrorKind, ModelDirectory, Result};

use crate::architecture::Architecture;
use crate::error::error;

/// The directory's tokenizer, if every id of it has an embedding.
///
/// # Errors
/// When it cannot be read, or has more tokens than the architecture embeddings.
pub fn fitting_tokenizer(
    directory: &ModelDirectory,
    architecture: &Architecture,
) -> Result<HfTokenizer> {
    let tokenizer = directory.tokenizer()?;
    if tokenizer.size() > architecture.vocabulary {
        return Err(too_many_tokens(directory, tokenizer.size(), architecture.vocabulary));
    }
    Ok(tokenizer)
}

fn too_many_tokens(directory: &ModelDirectory, tokens: usize, rows: usize) -> Error {
    error(
        ErrorKind::Incompatible,
        "load the model",
        format!(
            "its {tokens} tokens are more than the {rows} embeddings of the model ({}: `vocab_size`)",
            directory.path().join("config.json").display(),
        ),
    )
    .with_path(directory.path().join("tokenizer.json"))
    .with_remedy("use the tokenizer.json and the weights of the same model")
}

/// The first tokens of a corpus as training sees them, each document ended; from the beginning again
/// where there are too few.
///
/// # Errors
/// When the corpus cannot be read or a text not be encoded.
pub fn first_tokens(corpus: &[PathBuf], tokenizer: &HfTokenizer, count: usize) -> Result<Vec<u32>> {
    let mut tokens = vec![tokenizer.bos()];
    'reading: for path in corpus {
        for text in read_texts(path)? {
            tokens.extend(tokenizer.encode(&text?)?);
            tokens.extend(tokenizer.eos().first());
            if tokens.len() >= count {
                break 'reading;
            }
        }
    }
    Ok(tokens.iter().copied().cycle().take(count).collect())
}

/// That a batch is as it says, fits a context of so many tokens, and has no id outside a vocabulary of
/// this size.
///
/// # Errors
/// What of it does not.
pub fn check_batch(batch: &TokenBatch, context_length: usize, vocabulary: usize) -> Result<()> {
    let refuse = |message: String| Err(error(ErrorKind::InvalidInput, "train", message));
    let TokenBatch { inputs, targets, sequences, length } = batch;
    let tokens = sequences.checked_mul(*length).filter(|&tokens| tokens > 0);
    if tokens != Some(inputs.len()) || tokens != Some(targets.len()) {
        return refuse(format!(
            "{} inputs and {} targets are not {sequences} sequences of {length} tokens",
            inputs.len(),
            targets.len(),
        ));
    }
    if *length > context_length {
        return refuse(format!(
            "a sequence of {length} tokens is longer than the context of {context_length}",
        ));
    }
    match inputs.iter().chain(targets).find(|&&token| token as usize >= vocabulary) {
        Some(token) => refuse(format!("token {token} is not in the vocabulary of {vocabulary}")),
        None => Ok(()),
    }
}
