//! Scores of continuations that are in a file already, ours and other tools'.

mod export;
mod reader;
mod row;
mod toxicity;

pub use export::{ExportShape, export_continuations};
pub use reader::{StoredPrompt, StoredScores};
pub use toxicity::StoredToxicity;
