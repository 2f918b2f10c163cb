//! The run directory: one directory that holds everything a pipeline read, decided and wrote.
//!
//! ```text
//! run/  run.json                  resolved settings and the identities of everything involved
//!       prompts/                  augmented prompts: the pool they were cut from, and themselves
//!       generate/part-*.jsonl     self-generated documents
//!       score/<digest>/part-*     a scorer's verdicts on them
//!       filter/<digest>/part-*    a filter's decisions
//!       select/                   kept.jsonl dropped.jsonl summary.json
//!       train/                    metrics.jsonl, checkpoints
//!       model/                    the trained model
//!       eval/                     generations, scores, metrics.json
//!       report.html report.md
//! ```
//!
//! Every file is appended to by one writer or written beside and renamed, so that an interruption at
//! any moment leaves nothing half done: what is there is complete.

mod directory;
mod parts;

pub use directory::{CorpusDirectory, RunDirectory};
pub use parts::Parts;
