//! Documents, prompts and verdicts as JSON lines, streamed in and out, and rows of any table.
//!
//! Whatever a file's length, one line of it is in memory at a time. Files that end in `.gz` or
//! `.zst` are compressed; `-` is standard input or output.

mod compression;
mod fields;
mod lines;
mod parts;
mod reader;
mod record;
mod row;
mod scored_row;
mod texts;
mod writer;

pub use fields::{FieldRow, FieldRows};
pub(crate) use lines::TextLines;
pub use parts::read_parts;
pub use reader::JsonlReader;
pub use record::{DecisionRow, Document, ScoredDocument};
pub use row::{PromptRow, TextRow};
pub use scored_row::ScoredTextRow;
pub use texts::{Texts, read_texts};
pub use writer::JsonlWriter;

const COMPONENT: &str = "corpus";
