use detoxlm_core::causal_lm::{
    CausalLm, CausalLmCapabilities, DecodeSession, Logits, RowId, RowTokens, TokenLikelihood,
    TokenSequence, Tokenizer,
};
use detoxlm_core::testing::ByteTokenizer;
use detoxlm_core::{Digest, Error, ErrorKind, Info, Result};

const V: usize = ByteTokenizer::SIZE;
const CONTEXT: usize = 128;

/// A mistake that a real backend could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    AdmitsStaleRows,
    AnswersInRowOrder,
    FewerLogitsThanTokens,
    ForkSharesItsRow,
    ForkStartsEmpty,
    FullRowPoisonsTheSession,
    GivesOutRowsForEver,
    GreedyIsNever,
    KeepsOnlyTheLastTokenOfAPrompt,
    LikelihoodOfTheFirstToken,
    LikelihoodsOfTheContext,
    LogitsDependOnTheBatch,
    PanicsOnBadIds,
    ReadsBadIds,
    ReadsTheLastToken,
    RowsWithoutLimit,
    SessionLongerThanTheContext,
    SharesWhatDiffers,
    StepsReleasedRows,
    TakesARowTwice,
}

/// A language model whose logits depend on all that came before, and nothing else: a hash of it.
///
/// It keeps every contract, but for the fault it is given.
#[derive(Debug)]
pub(crate) struct HistoryLm {
    info: Info,
    fault: Option<Fault>,
    is_batch_invariant: bool,
}

impl HistoryLm {
    pub(crate) fn new() -> Self {
        let info = Info::new("history", "1", Digest::of("history"));
        Self { info, fault: None, is_batch_invariant: true }
    }

    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    pub(crate) fn with_batch_invariance(mut self, is_batch_invariant: bool) -> Self {
        self.is_batch_invariant = is_batch_invariant;
        self
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Letters and spaces are likely, other bytes are not, and a document ends after a while.
    fn logits(&self, history: &[u32], into: &mut [f32]) {
        let start =
            history.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, &id| mix(hash ^ u64::from(id)));
        for (id, logit) in into.iter_mut().enumerate() {
            let noise = (mix(start ^ (id as u64) << 20) >> 40) as f32 / (1_u64 << 24) as f32;
            let is_letter = u8::try_from(id).is_ok_and(|b| b.is_ascii_lowercase() || b == b' ');
            *logit = 3.0 * noise + if is_letter { 0.0 } else { -12.0 };
        }
        into[ByteTokenizer::END as usize] = 0.5;
    }

    fn check(&self, ids: &[u32]) -> Result<()> {
        let Some(bad) = ids.iter().find(|&&id| id as usize >= V) else { return Ok(()) };
        assert!(!self.has(Fault::PanicsOnBadIds), "index out of bounds");
        if self.has(Fault::ReadsBadIds) { Ok(()) } else { Err(refusal(format!("token {bad}"))) }
    }
}

/// A round of splitmix64.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn refusal(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, "history", "decode", message)
}

impl CausalLm for HistoryLm {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> CausalLmCapabilities {
        let vocabulary = if self.has(Fault::FewerLogitsThanTokens) { V - 1 } else { V };
        CausalLmCapabilities::new(vocabulary, CONTEXT)
            .with_batch_invariance(self.is_batch_invariant)
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &ByteTokenizer
    }

    fn decode_session(&self, rows: usize, capacity: usize) -> Result<Box<dyn DecodeSession + '_>> {
        if capacity > CONTEXT && !self.has(Fault::SessionLongerThanTheContext) {
            return Err(refusal("longer than the context"));
        }
        let row = Row::default();
        Ok(Box::new(Session { model: self, rows: vec![row; rows], capacity, is_poisoned: false }))
    }

    fn token_likelihoods(
        &self,
        sequences: &[TokenSequence<'_>],
    ) -> Result<Vec<Vec<TokenLikelihood>>> {
        sequences
            .iter()
            .enumerate()
            .map(|(index, sequence)| {
                let tokens = sequence.tokens;
                self.check(tokens)?;
                let reads_the_last = self.has(Fault::ReadsTheLastToken);
                if tokens.len() > CONTEXT + usize::from(!reads_the_last) {
                    return Err(refusal("longer than the context"));
                }
                let first = match self.fault {
                    Some(Fault::LikelihoodOfTheFirstToken) => 0,
                    Some(Fault::LikelihoodsOfTheContext) => 1,
                    _ => sequence.first_predicted(),
                };
                let mut logits = vec![0.0; V];
                (first..tokens.len())
                    .map(|at| {
                        let mut history = tokens[..at].to_vec();
                        let before = index.checked_sub(1).map(|before| sequences[before].tokens);
                        match before.and_then(|before| before.get(..at)) {
                            Some(before) if self.has(Fault::SharesWhatDiffers) => {
                                let pairs = history.iter().zip(before);
                                let alike = pairs.take_while(|(a, b)| a == b).count();
                                if alike > 2 {
                                    // One token more than is shared.
                                    let shared = (alike + 1).min(at);
                                    history[..shared].copy_from_slice(&before[..shared]);
                                }
                            }
                            _ => {}
                        }
                        self.logits(&history, &mut logits);
                        // A bad id gets here only where that is the fault.
                        let own = logits[tokens[at] as usize % V];
                        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
                        Ok(TokenLikelihood {
                            log_prob: (f64::from(own) - total.ln()) as f32,
                            is_greedy: !self.has(Fault::GreedyIsNever)
                                && logits.iter().all(|&other| other <= own),
                        })
                    })
                    .collect()
            })
            .collect()
    }
}

#[derive(Clone, Debug, Default)]
struct Row {
    is_used: bool,
    history: Vec<u32>,
}

#[derive(Debug)]
struct Session<'a> {
    model: &'a HistoryLm,
    rows: Vec<Row>,
    capacity: usize,
    is_poisoned: bool,
}

impl Session<'_> {
    fn has(&self, fault: Fault) -> bool {
        self.model.has(fault)
    }

    fn check_used(&self, row: RowId) -> Result<()> {
        let is_used = self.rows.get(row.0).is_some_and(|row| row.is_used);
        if is_used { Ok(()) } else { Err(refusal("the row is not in use")) }
    }

    fn check(&self, entries: &[RowTokens<'_>]) -> Result<()> {
        if self.is_poisoned {
            return Err(refusal("an earlier step failed"));
        }
        for (index, entry) in entries.iter().enumerate() {
            if !self.has(Fault::StepsReleasedRows) {
                self.check_used(entry.row)?;
            }
            let is_twice = entries[..index].iter().any(|other| other.row == entry.row);
            if is_twice && !self.has(Fault::TakesARowTwice) {
                return Err(refusal("a row is named twice"));
            }
            let length = self.rows[entry.row.0].history.len() + entry.tokens.len();
            if length > self.capacity && !self.has(Fault::RowsWithoutLimit) {
                return Err(refusal("the row is full"));
            }
            self.model.check(entry.tokens)?;
        }
        Ok(())
    }
}

impl DecodeSession for Session<'_> {
    fn admit(&mut self) -> Result<RowId> {
        let free = match self.rows.iter().position(|row| !row.is_used) {
            Some(free) => free,
            None if self.has(Fault::GivesOutRowsForEver) => {
                self.rows.push(Row::default());
                self.rows.len() - 1
            }
            None => return Err(refusal("no row is free")),
        };
        let is_stale = self.has(Fault::AdmitsStaleRows);
        let row = &mut self.rows[free];
        row.is_used = true;
        if !is_stale {
            row.history.clear();
        }
        Ok(RowId(free))
    }

    fn fork(&mut self, row: RowId) -> Result<RowId> {
        self.check_used(row)?;
        if self.has(Fault::ForkSharesItsRow) {
            return Ok(row);
        }
        let copy = self.admit()?;
        if !self.has(Fault::ForkStartsEmpty) {
            self.rows[copy.0].history = self.rows[row.0].history.clone();
        }
        Ok(copy)
    }

    fn step(&mut self, entries: &[RowTokens<'_>], logits: &mut Logits) -> Result<()> {
        if let Err(error) = self.check(entries) {
            self.is_poisoned |= self.has(Fault::FullRowPoisonsTheSession);
            return Err(error);
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        if self.has(Fault::AnswersInRowOrder) {
            order.sort_by_key(|&index| entries[index].row);
        }
        let vocabulary = self.model.capabilities().vocabulary;
        let out = logits.resize(entries.len(), vocabulary);
        for (out, &index) in out.chunks_exact_mut(vocabulary).zip(&order) {
            let RowTokens { row, tokens } = entries[index];
            let forgets = self.has(Fault::KeepsOnlyTheLastTokenOfAPrompt);
            let tokens = if forgets { &tokens[tokens.len() - 1..] } else { tokens };
            self.rows[row.0].history.extend_from_slice(tokens);
            self.model.logits(&self.rows[row.0].history, out);
            if self.has(Fault::LogitsDependOnTheBatch) {
                // One unit in the last place, as another order of a sum would give.
                out[7] = out[7].next_up() + f32::EPSILON * entries.len() as f32 * 8.0;
            }
        }
        Ok(())
    }

    fn release(&mut self, row: RowId) -> Result<()> {
        self.check_used(row)?;
        self.rows[row.0].is_used = false;
        Ok(())
    }
}
