//! How much a prompt's continuations differ from each other and from themselves.

mod distinct;
mod repetition;
mod self_bleu;

pub use distinct::distinct_ngrams;
pub use repetition::ends_in_repetition;
pub use self_bleu::self_bleu;
