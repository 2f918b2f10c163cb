//! What a local language model offers: tokens in, logits out, synchronously.

mod likelihood;
mod session;
mod tokenizer;

pub use likelihood::{ContinuationLikelihood, Likelihood, TextLikelihood, TokenLikelihood};
pub use session::{
    CausalLm, CausalLmCapabilities, DecodeSession, Logits, RowId, RowTokens, TokenSequence,
};
pub use tokenizer::{HfTokenizer, Tokenizer};
