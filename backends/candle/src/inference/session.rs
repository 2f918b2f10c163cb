//! Growing sequences over one cache.

use std::fmt;

use candle_fused_ops::infer::KvCache;
use detoxlm_core::causal_lm::{DecodeSession, Logits, RowId, RowTokens};
use detoxlm_core::{Error, ErrorKind, Result};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::engine::{Engine, Piece};
use super::scratch::Scratch;
use crate::error::{error, internal};

const OPERATION: &str = "decode";

/// A [`DecodeSession`] with a cache of fixed size; rows are its slots.
pub(crate) struct Session<'a> {
    engine: &'a Engine,
    pool: &'a ThreadPool,
    caches: Vec<KvCache>,
    capacity: usize,
    /// Tokens of each row in use.
    rows: Vec<Option<usize>>,
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
        let context = engine.context_length();
        if capacity > context {
            return Err(error(
                ErrorKind::InvalidConfig,
                "open a decode session",
                format!("{capacity} tokens are more than the model's context of {context}"),
            )
            .with_key("capacity"));
        }
        check_memory(engine, rows, capacity)?;
        Ok(Self {
            engine,
            pool,
            caches: engine.caches(rows, capacity),
            capacity,
            rows: vec![None; rows],
            scratch: Scratch::default(),
            last: Vec::new(),
        })
    }

    /// How many tokens a row has.
    fn length(&self, row: RowId) -> Result<usize> {
        self.rows.get(row.0).copied().flatten().ok_or_else(|| {
            misuse(format!("row {} is not in use", row.0)).with_remedy("admit or fork one first")
        })
    }

    fn free_row(&self) -> Result<usize> {
        self.rows.iter().position(Option::is_none).ok_or_else(|| {
            misuse(format!("all {} rows are in use", self.rows.len()))
                .with_remedy("release one, or open a session with more rows")
        })
    }

    /// What the entries append, all checked: an error leaves every row as it was.
    fn pieces<'e>(&self, entries: &[RowTokens<'e>]) -> Result<Vec<Piece<'e>>> {
        let mut named = vec![false; self.rows.len()];
        let mut pieces = Vec::with_capacity(entries.len());
        for (owner, &RowTokens { row, tokens }) in entries.iter().enumerate() {
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
            if let Some(token) = self.engine.foreign(tokens) {
                return Err(foreign_token(self.engine, token));
            }
            let start = self.engine.first_position() + start;
            pieces.push(Piece { slot: row.0, start, tokens, owner, is_last: true });
        }
        Ok(pieces)
    }
}

impl DecodeSession for Session<'_> {
    fn admit(&mut self) -> Result<RowId> {
        let row = self.free_row()?;
        self.engine.begin(&mut self.caches, row).map_err(internal(OPERATION))?;
        self.rows[row] = Some(0);
        Ok(RowId(row))
    }

    fn fork(&mut self, row: RowId) -> Result<RowId> {
        let length = self.length(row)?;
        let copy = self.free_row()?;
        let (caches, filled) = (&mut self.caches, self.engine.first_position() + length);
        self.pool
            .install(|| {
                caches.par_iter_mut().try_for_each(|cache| cache.copy_prefix(row.0, copy, filled))
            })
            .map_err(internal(OPERATION))?;
        self.rows[copy] = Some(length);
        Ok(RowId(copy))
    }

    fn step(&mut self, entries: &[RowTokens<'_>], logits: &mut Logits) -> Result<()> {
        let pieces = self.pieces(entries)?;
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
        for &RowTokens { row, tokens } in entries {
            if let Some(length) = &mut self.rows[row.0] {
                *length += tokens.len();
            }
        }
        Ok(())
    }

    fn release(&mut self, row: RowId) -> Result<()> {
        self.length(row)?;
        self.rows[row.0] = None;
        Ok(())
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("capacity", &self.capacity)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// Fails if the system would not lend the memory of the caches, which the allocator answers by
/// ending the process. It is asked for address space only, and gets it back at once.
fn check_memory(engine: &Engine, rows: usize, capacity: usize) -> Result<()> {
    let architecture = engine.architecture();
    let wanted = [
        2 * architecture.blocks.len(),
        architecture.kv_heads * architecture.head_width,
        rows,
        engine.first_position() + capacity,
    ]
    .into_iter()
    .try_fold(1_usize, usize::checked_mul);
    let lent = wanted.is_some_and(|floats| Vec::<f32>::new().try_reserve_exact(floats).is_ok());
    if lent {
        return Ok(());
    }
    Err(error(
        ErrorKind::InvalidConfig,
        "open a decode session",
        format!("the keys and values of {rows} rows of {capacity} tokens do not fit the memory"),
    )
    .with_remedy("open it with fewer rows or a smaller capacity"))
}

fn misuse(message: String) -> Error {
    error(ErrorKind::InvalidInput, OPERATION, message)
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
