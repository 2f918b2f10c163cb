//! Growing sequences over one cache.

use std::fmt;

use candle_fused_ops::infer::KvCache;
use detoxlm_core::causal_lm::{DecodeSession, Logits, RowId, RowTokens};
use detoxlm_core::{Error, ErrorKind, Result};
use detoxlm_transformer::cache_memory::CacheMemory;
use detoxlm_transformer::rows::Rows;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::engine::{Engine, Piece};
use super::scratch::Scratch;
use crate::error::{COMPONENT, error, internal};

const OPERATION: &str = "decode";

/// A [`DecodeSession`] with a cache of fixed size; rows are its slots.
pub(crate) struct Session<'a> {
    engine: &'a Engine,
    pool: &'a ThreadPool,
    caches: Vec<KvCache>,
    rows: Rows,
    scratch: Scratch,
    /// Hidden states of the last tokens of a step: (entries, width).
    last: Vec<f32>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        pool: &'a ThreadPool,
        rows: usize,
        capacity: usize,
    ) -> Result<Self> {
        let vocabulary = engine.architecture().vocabulary;
        let table = Rows::new(rows, capacity, engine.context_length(), vocabulary)?;
        let memory = CacheMemory {
            component: COMPONENT,
            architecture: engine.architecture(),
            prefix: engine.first_position(),
            number: size_of::<f32>(),
        };
        memory.check_processor(rows, capacity)?;
        Ok(Self {
            engine,
            pool,
            caches: engine.caches(rows, capacity),
            rows: table,
            scratch: Scratch::default(),
            last: Vec::new(),
        })
    }
}

impl DecodeSession for Session<'_> {
    fn admit(&mut self) -> Result<RowId> {
        let slot = self.rows.free()?;
        self.engine.begin(&mut self.caches, slot).map_err(internal(OPERATION))?;
        Ok(self.rows.occupy(slot, 0))
    }

    fn fork(&mut self, row: RowId) -> Result<RowId> {
        let length = self.rows.length(row)?;
        let copy = self.rows.free()?;
        let (caches, filled) = (&mut self.caches, self.engine.first_position() + length);
        self.pool
            .install(|| {
                caches.par_iter_mut().try_for_each(|cache| cache.copy_prefix(row.0, copy, filled))
            })
            .map_err(internal(OPERATION))?;
        Ok(self.rows.occupy(copy, length))
    }

    fn step(&mut self, entries: &[RowTokens<'_>], logits: &mut Logits) -> Result<()> {
        let first = self.engine.first_position();
        let appended = self.rows.appended(entries)?;
        let pieces = appended.iter().enumerate().map(|(owner, piece)| Piece {
            slot: piece.slot,
            start: first + piece.start,
            tokens: piece.tokens,
            owner,
            is_last: true,
        });
        let (engine, width) = (self.engine, self.engine.architecture().width);
        let logits = logits.resize(entries.len(), engine.architecture().vocabulary);
        let Self { pool, caches, scratch, last, .. } = self;
        last.resize(entries.len() * width, 0.0);
        pool.install(|| {
            engine.run(pieces, caches, scratch, |pass, hidden| {
                let mut end = 0;
                for piece in pass {
                    end += piece.tokens.len() * width;
                    if piece.is_last {
                        last[piece.owner * width..][..width]
                            .copy_from_slice(&hidden[end - width..end]);
                    }
                }
                Ok(())
            })?;
            engine.logits(last, entries.len(), &mut scratch.normed, logits)
        })
        .map_err(internal(OPERATION))?;
        self.rows.grow(entries);
        Ok(())
    }

    fn release(&mut self, row: RowId) -> Result<()> {
        self.rows.release(row)
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("rows", &self.rows).finish_non_exhaustive()
    }
}

pub(super) fn foreign_token(engine: &Engine, token: u32) -> Error {
    let size = engine.architecture().vocabulary;
    error(
        ErrorKind::InvalidInput,
        OPERATION,
        format!("token {token} is not in the vocabulary of {size}"),
    )
    .with_remedy("use the tokenizer of this model")
}
