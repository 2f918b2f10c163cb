//! What there is without anything to download: a language model, two judges, prompts and text.

use std::path::Path;

use crate::Result;
use crate::evaluation::{PromptSet, TextSet};
use crate::files::{create_directory, write_atomically};
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

/// Writes items of two zero-shot tasks into a directory, under the names of the tasks: 150 of HellaSwag and
/// 150 of HANS. A sample is for seeing that something works, not for numbers to publish.
///
/// # Errors
/// When the directory or a file cannot be written.
pub fn write_task_samples(directory: impl AsRef<Path>) -> Result<()> {
    let directory = directory.as_ref();
    create_directory(directory)?;
    write_atomically(
        directory.join("hellaswag.jsonl.gz"),
        include_bytes!("../data/tasks/hellaswag.jsonl.gz"),
    )?;
    write_atomically(directory.join("hans.tsv.gz"), include_bytes!("../data/tasks/hans.tsv.gz"))
}
