//! What there is without anything to download: a language model, two judges, prompts and text.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::evaluation::{PromptSet, TextSet};
use crate::files::write_atomically;
use crate::onnx::OnnxScorer;
use crate::profanity_check::ProfanityCheck;

/// The embedded toxicity classifier, on Perspective's scale.
///
/// # Errors
/// When the system refuses a thread.
pub fn scorer() -> Result<OnnxScorer> {
    OnnxScorer::embedded()
}

/// A judge that shares nothing with [`scorer`]: made by other people, by another method.
///
/// # Errors
/// When the system refuses a thread.
pub fn second_judge() -> Result<ProfanityCheck> {
    ProfanityCheck::new()
}

/// Writes the embedded language model as a new model directory.
///
/// # Errors
/// When `directory` exists, or cannot be written.
pub fn write_model(directory: impl AsRef<Path>) -> Result<()> {
    crate::candle::write_embedded_model(directory)
}

/// 150 prompts of RealToxicityPrompts.
///
/// # Errors
/// None that a user can cause.
pub fn prompts() -> Result<PromptSet> {
    PromptSet::parse("real-toxicity-prompts-sample", include_bytes!("../data/prompts.jsonl"))
}

/// 546 comments that people wrote on Wikipedia's talk pages, none of them toxic and none in what the
/// embedded model was trained on.
///
/// # Errors
/// None that a user can cause.
pub fn held_out() -> Result<TextSet> {
    TextSet::parse("wikipedia-talk-sample", include_bytes!("../data/held_out.jsonl"))
}

/// Files of items by task.
const TASK_SAMPLES: [(&str, &str, &[u8]); 2] = [
    ("hellaswag", "hellaswag.jsonl.gz", include_bytes!("../data/tasks/hellaswag.jsonl.gz")),
    ("hans", "hans.tsv.gz", include_bytes!("../data/tasks/hans.tsv.gz")),
];

/// Writes 150 items of a zero-shot task into a directory, and gives the file; `None` for a task of which
/// none come with detoxlm: it has `hellaswag` and `hans`. A sample is for seeing that something works, not
/// for numbers to publish.
///
/// # Errors
/// When the directory or the file cannot be written.
pub fn write_task_sample(task: &str, directory: impl AsRef<Path>) -> Result<Option<PathBuf>> {
    let Some((_, name, content)) = TASK_SAMPLES.iter().find(|(known, ..)| *known == task) else {
        return Ok(None);
    };
    let file = directory.as_ref().join(name);
    write_atomically(&file, content)?;
    Ok(Some(file))
}

/// Writes 1,800 harmless sentences into a directory, each of which names one of 50 identities, and gives
/// the file: what [`IdentitySource`](crate::audit::IdentitySource) reads with its defaults.
///
/// # Errors
/// When the directory or the file cannot be written.
pub fn write_identity_sample(directory: impl AsRef<Path>) -> Result<PathBuf> {
    let file = directory.as_ref().join("identities.csv.gz");
    write_atomically(&file, include_bytes!("../data/identities.csv.gz"))?;
    Ok(file)
}
