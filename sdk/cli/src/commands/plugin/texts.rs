//! Texts to try a plugin on.

use std::path::Path;

use detoxlm::corpus::{JsonlReader, TextRow};
use detoxlm::{Result, Sample};

use crate::rows;

/// The texts of a JSONL file, or of ours where none is named.
pub(super) fn read(file: Option<&Path>) -> Result<Vec<Sample>> {
    match file {
        Some(file) => {
            JsonlReader::<TextRow>::open(file)?.map(|row| Ok(rows::sample(&row?))).collect()
        }
        None => Ok(ours()),
    }
}

/// Harmless texts of 10 to 700 bytes.
fn ours() -> Vec<Sample> {
    const WORDS: [&str; 16] = [
        "The", "rain", "kept", "on,", "and", "nobody", "at", "the", "station", "said", "a", "word",
        "until", "train", "came.", "Then",
    ];
    (0..512_usize)
        .map(|number| {
            let words = (0..2 + number * 7 % 120).map(|at| WORDS[(number + at * 5) % WORDS.len()]);
            Sample::new(words.collect::<Vec<_>>().join(" "))
        })
        .collect()
}
