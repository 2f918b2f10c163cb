use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, Logits, RowId, RowTokens, TokenLikelihood,
    TokenSequence, Tokenizer,
};
use crate::files::{create_directory, write_atomically};
use crate::random::{CounterRng, Domain};
use crate::testing::ByteTokenizer;
use crate::{
    Digest, Error, ErrorKind, Info, LoadOptions, LocalGenerator, LocalLikelihood, ModelLoader,
    Result, Subject,
};

const V: usize = ByteTokenizer::SIZE;
const WEIGHTS: &str = "bigram.f32";

/// A language model that knows only the last byte: a 257 x 257 table of logits.
///
/// A new one writes letters and spaces, about forty to a document.
#[derive(Clone, Debug)]
pub struct BigramLm {
    /// `table[last * 257 + next]`.
    pub(super) table: Vec<f32>,
    info: Info,
    context_length: usize,
    /// The most tokens of all rows of a session together.
    memory: Option<usize>,
}

impl BigramLm {
    /// A model whose table is drawn from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let rng = CounterRng::new(seed, Domain::Shuffling);
        let mut table = vec![-12.0_f32; V * V];
        for last in 0..V {
            for next in 0..V {
                let spread = (rng.uniform(last as u64, next as u32, 0) * 3.0) as f32;
                let is_letter = u8::try_from(next).is_ok_and(|b| b.is_ascii_alphabetic());
                if is_letter || next == usize::from(b' ') {
                    table[last * V + next] = spread;
                }
            }
            table[last * V + ByteTokenizer::END as usize] = 1.4;
        }
        Self::from_table(table)
    }

    pub(super) fn from_table(table: Vec<f32>) -> Self {
        let info = Info::new("bigram", "1", Digest::of(bytes_of(&table)));
        Self { table, info, context_length: 128, memory: None }
    }

    /// Has room for so many tokens, of all rows of a session together (for any number by default).
    #[must_use]
    pub const fn with_memory(mut self, tokens: usize) -> Self {
        self.memory = Some(tokens);
        self
    }

    /// Sets the context length in tokens (128 by default).
    #[must_use]
    pub fn with_context_length(mut self, context_length: usize) -> Self {
        self.context_length = context_length;
        self
    }

    /// Writes the model into a directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, directory: &Path) -> Result<()> {
        create_directory(directory)?;
        write_atomically(directory.join(WEIGHTS), bytes_of(&self.table))
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the file is missing or of another size.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join(WEIGHTS);
        let bytes =
            std::fs::read(&path).map_err(|e| Error::io("testing", "open a model", &path, e))?;
        if bytes.len() != V * V * 4 {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "testing",
                "open a model",
                format!("{} bytes instead of {}", bytes.len(), V * V * 4),
            )
            .with_path(path));
        }
        let table = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(Self::from_table(table.collect()))
    }

    fn check_length(&self, tokens: usize) -> Result<()> {
        if tokens > self.context_length {
            let message = format!("{tokens} tokens exceed the context of {}", self.context_length);
            return Err(Error::new(ErrorKind::InvalidInput, "testing", "decode", message));
        }
        Ok(())
    }

    pub(super) fn logits_after(&self, token: u32) -> Result<&[f32]> {
        let at = token as usize * V;
        self.table.get(at..at + V).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "testing", "step", "not in the vocabulary of 257")
                .with_key(format!("token {token}"))
        })
    }
}

fn bytes_of(table: &[f32]) -> Vec<u8> {
    table.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// `-log p(target)` in nats, by the definition.
pub(super) fn negative_log_likelihood(logits: &[f32], target: u32) -> f64 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|&l| f64::from(l - highest).exp()).sum();
    total.ln() - f64::from(logits[target as usize] - highest)
}

impl CausalLm for BigramLm {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> CausalLmCapabilities {
        CausalLmCapabilities::new(V, self.context_length).with_batch_invariance(true)
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &ByteTokenizer
    }

    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>> {
        self.check_length(capacity)?;
        if self.memory.is_some_and(|memory| rows.saturating_mul(capacity) > memory) {
            let message = format!("{rows} rows of {capacity} tokens do not fit the memory");
            return Err(Error::new(ErrorKind::OutOfMemory, "bigram", "open a session", message));
        }
        Ok(Box::new(BigramSession { model: self, lengths: vec![None; rows], capacity }))
    }

    fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        sequences
            .iter()
            .map(|sequence| {
                let tokens = sequence.tokens;
                // The last token is not read.
                self.check_length(tokens.len().saturating_sub(1))?;
                tokens.iter().try_for_each(|&token| self.logits_after(token).map(|_| ()))?;
                (sequence.first_predicted()..tokens.len())
                    .map(|at| {
                        let (before, own) = (tokens[at - 1], tokens[at]);
                        let logits = self.logits_after(before)?;
                        let highest = logits[own as usize];
                        Ok(TokenLikelihood {
                            log_prob: -negative_log_likelihood(logits, own) as f32,
                            is_greedy: logits.iter().all(|&other| other <= highest),
                        })
                    })
                    .collect()
            })
            .collect()
    }
}

#[derive(Debug)]
struct BigramSession<'a> {
    model: &'a BigramLm,
    lengths: Vec<Option<usize>>,
    capacity: usize,
}

impl BigramSession<'_> {
    fn misuse(message: &'static str) -> Error {
        Error::new(ErrorKind::Internal, "testing", "decode", message)
    }
}

impl DecodeSession for BigramSession<'_> {
    fn admit(&mut self) -> Result<RowId> {
        let free = self.lengths.iter().position(Option::is_none);
        let row = free.ok_or_else(|| Self::misuse("no row is free"))?;
        self.lengths[row] = Some(0);
        Ok(RowId(row))
    }

    fn fork(&mut self, row: RowId) -> Result<RowId> {
        let length = self.lengths[row.0].ok_or_else(|| Self::misuse("the row is not in use"))?;
        let copy = self.admit()?;
        self.lengths[copy.0] = Some(length);
        Ok(copy)
    }

    fn step(&mut self, entries: &[RowTokens<'_>], logits: &mut Logits) -> Result<()> {
        let out = logits.resize(entries.len(), V);
        for (index, (entry, out)) in entries.iter().zip(out.chunks_exact_mut(V)).enumerate() {
            if entries[..index].iter().any(|earlier| earlier.row == entry.row) {
                return Err(Self::misuse("a row is named twice"));
            }
            let length = self.lengths[entry.row.0]
                .as_mut()
                .ok_or_else(|| Self::misuse("the row is not in use"))?;
            *length += entry.tokens.len();
            if *length > self.capacity {
                return Err(Self::misuse("the row is full"));
            }
            let last = entry.tokens.last().ok_or_else(|| Self::misuse("no tokens"))?;
            out.copy_from_slice(self.model.logits_after(*last)?);
        }
        Ok(())
    }

    fn release(&mut self, row: RowId) -> Result<()> {
        self.lengths[row.0].take().map(|_| ()).ok_or_else(|| Self::misuse("the row is not in use"))
    }
}

/// Opens directories that [`BigramLm::save`] wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct BigramLoader;

#[async_trait]
impl ModelLoader for BigramLoader {
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject> {
        if let Some(adapter) = &options.adapter {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "bigram",
                "load the adapter",
                "this framework has none",
            )
            .with_path(adapter));
        }
        let model: Arc<dyn CausalLm> = Arc::new(BigramLm::open(directory)?);
        Ok(Subject {
            name: "bigram".to_owned(),
            generator: Arc::new(LocalGenerator::new(Arc::clone(&model))?.with_options(options)),
            likelihood: Some(Arc::new(LocalLikelihood::new(model)?)),
        })
    }
}
