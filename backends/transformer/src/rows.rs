//! The rows of a decode session: which are in use, and how far each has grown.

use detoxlm_core::causal_lm::{RowId, RowTokens, TokenSequence};
use detoxlm_core::{Error, ErrorKind, Result};

use crate::error::error;

const OPERATION: &str = "decode";

/// Tokens that a step appends to a row.
#[derive(Clone, Copy, Debug)]
pub struct Appended<'a> {
    /// The row's place in the cache.
    pub slot: usize,
    /// Tokens that the row has already.
    pub start: usize,
    /// What comes next; not empty.
    pub tokens: &'a [u32],
}

/// A session's rows.
#[derive(Clone, Debug)]
pub struct Rows {
    /// How many there may be.
    count: usize,
    capacity: usize,
    vocabulary: usize,
    /// Tokens of each row in use, up to the last that ever was. Grows with them: whether so many rows fit
    /// the memory is for the session to say, not for an allocation here.
    lengths: Vec<Option<usize>>,
}

impl Rows {
    /// So many free rows, each with room for `capacity` tokens of a vocabulary.
    ///
    /// # Errors
    /// When `capacity` is more than the model's context.
    pub fn new(
        rows: usize,
        capacity: usize,
        context_length: usize,
        vocabulary: usize,
    ) -> Result<Self> {
        if capacity > context_length {
            return Err(error(
                ErrorKind::InvalidConfig,
                "open a decode session",
                format!("{capacity} tokens are more than the model's context of {context_length}"),
            )
            .with_key("capacity"));
        }
        Ok(Self { count: rows, capacity, vocabulary, lengths: Vec::new() })
    }

    /// How many tokens a row has.
    ///
    /// # Errors
    /// When it is not in use.
    pub fn length(&self, row: RowId) -> Result<usize> {
        self.lengths.get(row.0).copied().flatten().ok_or_else(|| {
            misuse(format!("row {} is not in use", row.0)).with_remedy("admit or fork one first")
        })
    }

    /// A row that nobody uses.
    ///
    /// # Errors
    /// When there is none.
    pub fn free(&self) -> Result<usize> {
        let slot = self.lengths.iter().position(Option::is_none).unwrap_or(self.lengths.len());
        if slot >= self.count {
            return Err(misuse(format!("all {} rows are in use", self.count))
                .with_remedy("release one, or open a session with more rows"));
        }
        Ok(slot)
    }

    /// Puts a row that is [free](Self::free) to use, with so many tokens.
    pub fn occupy(&mut self, slot: usize, length: usize) -> RowId {
        if slot >= self.lengths.len() {
            self.lengths.resize(slot + 1, None);
        }
        self.lengths[slot] = Some(length);
        RowId(slot)
    }

    /// Frees a row.
    ///
    /// # Errors
    /// When it is not in use.
    pub fn release(&mut self, row: RowId) -> Result<()> {
        self.length(row)?;
        self.lengths[row.0] = None;
        Ok(())
    }

    /// What the entries of a step append, all checked: an error leaves every row as it was.
    ///
    /// # Errors
    /// When a row is not in use, named twice, given no tokens or more than it has room for, or a token
    /// is not in the vocabulary.
    pub fn appended<'e>(&self, entries: &[RowTokens<'e>]) -> Result<Vec<Appended<'e>>> {
        let mut named = vec![false; self.lengths.len()];
        let mut appended = Vec::with_capacity(entries.len());
        for &RowTokens { row, tokens } in entries {
            let start = self.length(row)?;
            if std::mem::replace(&mut named[row.0], true) {
                return Err(misuse(format!("row {} is in the step twice", row.0)));
            }
            if tokens.is_empty() {
                return Err(misuse(format!("row {} is given no tokens", row.0)));
            }
            if tokens.len() > self.capacity - start {
                return Err(misuse(format!(
                    "row {} has {start} tokens, and {} more exceed the session's capacity of {}",
                    row.0,
                    tokens.len(),
                    self.capacity,
                ))
                .with_remedy("release the row, or open a session with a larger capacity"));
            }
            check_tokens(tokens, self.vocabulary)?;
            appended.push(Appended { slot: row.0, start, tokens });
        }
        Ok(appended)
    }

    /// Counts the tokens of a step that has been computed.
    pub fn grow(&mut self, entries: &[RowTokens<'_>]) {
        for &RowTokens { row, tokens } in entries {
            if let Some(Some(length)) = self.lengths.get_mut(row.0) {
                *length += tokens.len();
            }
        }
    }

    /// Tokens that a row may have.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}

/// That every token is in a vocabulary of this size.
///
/// # Errors
/// Names the first that is not.
pub fn check_tokens(tokens: &[u32], vocabulary: usize) -> Result<()> {
    match tokens.iter().find(|&&token| token as usize >= vocabulary) {
        None => Ok(()),
        Some(token) => {
            Err(misuse(format!("token {token} is not in the vocabulary of {vocabulary}"))
                .with_remedy("use the tokenizer of this model"))
        }
    }
}

/// That sequences fit a context of so many tokens, but for the last, which is predicted and not read, and
/// have no token outside a vocabulary of this size.
///
/// # Errors
/// Names the first that does not.
pub fn check_sequences(
    sequences: &[TokenSequence<'_>],
    context_length: usize,
    vocabulary: usize,
) -> Result<()> {
    for (index, sequence) in sequences.iter().enumerate() {
        let read = sequence.tokens.len().saturating_sub(1);
        if read > context_length {
            return Err(error(
                ErrorKind::InvalidInput,
                "rate tokens",
                format!(
                    "sequence {index} has {read} tokens before its last, more than the context of \
                     {context_length}"
                ),
            )
            .with_remedy("cut it into windows"));
        }
        check_tokens(sequence.tokens, vocabulary)?;
    }
    Ok(())
}

fn misuse(message: String) -> Error {
    error(ErrorKind::InvalidInput, OPERATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_free_until_all_are_in_use() {
        let mut rows = Rows::new(2, 8, 8, 10).unwrap();
        for slot in [0, 1] {
            assert_eq!(rows.free().unwrap(), slot);
            assert_eq!(rows.occupy(slot, 0), RowId(slot));
        }
        let full = rows.free().unwrap_err();
        assert!(full.to_string().contains("all 2 rows are in use"), "{full}");
        rows.release(RowId(0)).unwrap();
        assert_eq!(rows.free().unwrap(), 0);
        rows.release(RowId(0)).unwrap_err();
        rows.length(RowId(7)).unwrap_err();
    }

    #[test]
    fn a_table_of_any_number_of_rows_can_be_had() {
        let rows = Rows::new(usize::MAX, 8, 8, 10).unwrap();
        assert_eq!(rows.free().unwrap(), 0);
    }

    #[test]
    fn a_sequence_may_be_longer_than_the_context_by_what_is_not_read() {
        check_sequences(&[TokenSequence::whole(&[1; 9])], 8, 10).unwrap();
        let sequences = [TokenSequence::whole(&[1]), TokenSequence::whole(&[1; 10])];
        let long = check_sequences(&sequences, 8, 10).unwrap_err().to_string();
        let expected = "sequence 1 has 9 tokens before its last, more than the context of 8";
        assert!(long.contains(expected), "{long}");
        check_sequences(&[TokenSequence::whole(&[1, 10])], 8, 10).unwrap_err();
    }
}
