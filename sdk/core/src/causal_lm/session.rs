use std::fmt::Debug;

use crate::causal_lm::{TokenLikelihood, Tokenizer};
use crate::{Info, Result};

/// What a local model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CausalLmCapabilities {
    /// The number of logits of a position; at least the tokenizer's size.
    pub vocabulary: usize,
    /// The most tokens of one sequence.
    pub context_length: usize,
    /// Whether a row's logits have the same bits whatever other rows are in the call, however many
    /// threads compute them, and whether its tokens came one by one or together.
    pub batch_invariant: bool,
}

impl CausalLmCapabilities {
    /// Puts capabilities together; not batch-invariant.
    #[must_use]
    pub const fn new(vocabulary: usize, context_length: usize) -> Self {
        Self { vocabulary, context_length, batch_invariant: false }
    }

    /// Promises batch invariance.
    #[must_use]
    pub const fn with_batch_invariance(mut self, batch_invariant: bool) -> Self {
        self.batch_invariant = batch_invariant;
        self
    }
}

/// A language model on this machine.
///
/// Decoding, sampling and windowed perplexity are written once over this trait; a backend supplies
/// nothing but forward passes.
///
/// # Contract
/// - Everything here blocks; callers run it on threads of their own, never on an async worker.
/// - Token ids at or above `capabilities().vocabulary` are an error, never a panic.
/// - `info().digest` covers weights, configuration and tokenizer.
pub trait CausalLm: Debug + Send + Sync + 'static {
    /// Who this model is.
    fn info(&self) -> &Info;

    /// What it can do.
    fn capabilities(&self) -> CausalLmCapabilities;

    /// Text to token ids and back.
    fn tokenizer(&self) -> &dyn Tokenizer;

    /// Opens a session with room for `rows` sequences of up to `capacity` tokens each.
    ///
    /// # Errors
    /// When `capacity` exceeds the context length, or, as [`ErrorKind::OutOfMemory`](crate::ErrorKind), the
    /// memory cannot be had: whoever opens it may then ask for fewer rows.
    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>>;

    /// For each sequence, the likelihoods of its tokens from number `from` on, each given all tokens
    /// before it: `sequences[i].predicted()` entries (none for an empty sequence).
    ///
    /// The last token is predicted and never read, so a sequence may be longer than the context by
    /// one. Neighbours that begin alike may have what they share computed once; callers put such
    /// sequences side by side.
    ///
    /// # Errors
    /// When a sequence is longer than the context and that one token, or the forward pass fails.
    fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>>;
}

/// Tokens of which those from a certain one on are to be rated; the ones before are context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSequence<'a> {
    /// All tokens, the context's first.
    pub tokens: &'a [u32],
    /// The number, from 0, of the first token whose likelihood is asked for. The very first token has
    /// none, so 0 asks for the same as 1.
    pub from: usize,
}

impl<'a> TokenSequence<'a> {
    /// All tokens but the first are rated.
    #[must_use]
    pub const fn whole(tokens: &'a [u32]) -> Self {
        Self { tokens, from: 1 }
    }

    /// How many tokens are rated.
    #[must_use]
    pub const fn predicted(&self) -> usize {
        let from = if self.from == 0 { 1 } else { self.from };
        self.tokens.len().saturating_sub(from)
    }

    /// The number of the first token that is rated.
    #[must_use]
    pub const fn first_predicted(&self) -> usize {
        self.tokens.len() - self.predicted()
    }
}

impl<'a, T: AsRef<[u32]> + ?Sized> From<&'a T> for TokenSequence<'a> {
    fn from(tokens: &'a T) -> Self {
        Self::whole(tokens.as_ref())
    }
}

/// A sequence in a [`DecodeSession`]. Only valid in the session that gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub usize);

/// Tokens to append to a row: a whole prompt, or the one token just drawn.
#[derive(Clone, Copy, Debug)]
pub struct RowTokens<'a> {
    /// The sequence.
    pub row: RowId,
    /// What comes next in it; not empty.
    pub tokens: &'a [u32],
}

/// The next-token logits of several rows, row-major: one row of `vocabulary` values for each entry
/// of the step, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logits {
    values: Vec<f32>,
    vocabulary: usize,
}

impl Logits {
    /// No rows of `vocabulary` logits each.
    #[must_use]
    pub const fn new(vocabulary: usize) -> Self {
        Self { values: Vec::new(), vocabulary }
    }

    /// Makes room for `rows` rows and gives the whole buffer, row-major, to write into.
    pub fn resize(&mut self, rows: usize, vocabulary: usize) -> &mut [f32] {
        self.vocabulary = vocabulary;
        self.values.resize(rows * vocabulary, 0.0);
        &mut self.values
    }

    /// The logits of entry `index`.
    ///
    /// # Panics
    /// When the step had fewer entries.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.vocabulary..(index + 1) * self.vocabulary]
    }

    /// The same, to change in place.
    ///
    /// # Panics
    /// When the step had fewer entries.
    #[must_use]
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index * self.vocabulary..(index + 1) * self.vocabulary]
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.vocabulary).unwrap_or(0)
    }

    /// How many logits a row has.
    #[must_use]
    pub const fn vocabulary(&self) -> usize {
        self.vocabulary
    }
}

/// Several growing sequences with their key/value cache.
///
/// # Contract
/// - `admit` gives an empty row; `fork` a copy of a row that grows on its own, sharing the
///   computation done so far. Both fail when no row is free.
/// - `step` appends tokens to rows, each row at most once a call, and fills `logits` with the
///   next-token logits of every entry in order.
/// - `release` frees a row for the next `admit`; its id may be given out again.
/// - A row that would outgrow the session's capacity is an error that says so; the other rows stay
///   usable.
pub trait DecodeSession: Debug + Send {
    /// A new, empty row.
    ///
    /// # Errors
    /// When no row is free.
    fn admit(&mut self) -> Result<RowId>;

    /// A copy of `row`.
    ///
    /// # Errors
    /// When no row is free, or `row` is not in use.
    fn fork(&mut self, row: RowId) -> Result<RowId>;

    /// Appends tokens and computes the logits of what comes next.
    ///
    /// # Errors
    /// When a row is not in use, named twice, out of room, or a token is not in the vocabulary.
    fn step(&mut self, entries: &[RowTokens<'_>], logits: &mut Logits) -> Result<()>;

    /// Frees a row.
    ///
    /// # Errors
    /// When `row` is not in use.
    fn release(&mut self, row: RowId) -> Result<()>;
}
