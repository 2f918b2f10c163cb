//! Documents joined and cut into sequences of equal length.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::training::TokenBatch;
use crate::training::shuffle::Permutation;
use crate::training::token_store::TokenStore;

/// A place in the endless stream of shuffled epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Which pass over the corpus.
    pub(super) epoch: u64,
    /// How many documents of it are behind.
    pub(super) document: u64,
    /// How many tokens of the current one are.
    pub(super) offset: u64,
}

/// Reads sequences from a store. Documents are shuffled anew in every epoch, follow each other with
/// nothing but their end tokens between, and sequences run across their borders; attention is not
/// reset there (SGEAT's recipe, and GPT-2's).
#[derive(Debug)]
pub(super) struct PackedStream {
    store: TokenStore,
    seed: Option<u64>,
    cursor: Cursor,
}

impl PackedStream {
    /// A stream in the random order that `seed` decides, from `cursor` on.
    pub(super) fn shuffled(store: TokenStore, seed: u64, cursor: Cursor) -> Self {
        Self { store, seed: Some(seed), cursor }
    }

    /// A stream in the corpus's own order.
    pub(super) fn in_order(store: TokenStore) -> Self {
        Self { store, seed: None, cursor: Cursor::default() }
    }

    pub(super) const fn store(&self) -> &TokenStore {
        &self.store
    }

    pub(super) const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The next `sequences` sequences of `length` tokens, with the token that follows each.
    pub(super) fn next_batch(&mut self, sequences: usize, length: usize) -> Result<TokenBatch> {
        let mut batch = TokenBatch {
            inputs: Vec::with_capacity(sequences * length),
            targets: Vec::with_capacity(sequences * length),
            sequences,
            length,
        };
        let mut window = Vec::with_capacity(length + 1);
        for _ in 0..sequences {
            window.clear();
            self.take(length, &mut window)?;
            // The last target is the first input of the next sequence: looked at, not taken.
            let here = self.cursor;
            self.take(1, &mut window)?;
            self.cursor = here;
            batch.inputs.extend_from_slice(&window[..length]);
            batch.targets.extend_from_slice(&window[1..]);
        }
        Ok(batch)
    }

    fn take(&mut self, count: usize, into: &mut Vec<u32>) -> Result<()> {
        let goal = into.len() + count;
        while into.len() < goal {
            if self.cursor.document == self.store.documents() {
                self.cursor = Cursor { epoch: self.cursor.epoch + 1, ..Cursor::default() };
            }
            let number = match self.seed {
                Some(seed) => Permutation::new(self.store.documents(), seed, self.cursor.epoch)
                    .at(self.cursor.document),
                None => self.cursor.document,
            };
            let before = into.len();
            let ended = self.store.read(number, self.cursor.offset, goal - before, into)?;
            self.cursor.offset += (into.len() - before) as u64;
            if ended {
                self.cursor.document += 1;
                self.cursor.offset = 0;
            }
        }
        Ok(())
    }
}
