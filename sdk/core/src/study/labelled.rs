//! Texts that people have labelled as not toxic.

use std::collections::BinaryHeap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::corpus::{JsonlReader, JsonlWriter};
use crate::random::{CounterRng, Domain};
use crate::{Error, ErrorKind, Result};

/// Which of a file's texts are wanted.
pub(super) struct Labelled<'a> {
    pub(super) file: &'a Path,
    pub(super) label: &'a str,
    pub(super) at_most: f64,
    pub(super) documents: Option<u64>,
}

#[derive(Serialize)]
struct TextRow<'a> {
    text: &'a str,
}

impl Labelled<'_> {
    /// Writes the texts, or a uniform draw of so many of them, in the order of the file; gives how
    /// many. The file is read twice, its texts are never held.
    pub(super) fn write(&self, seed: u64, target: &Path) -> Result<u64> {
        let limit = usize::try_from(self.documents.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let rng = CounterRng::new(seed, Domain::Sampling);
        let mut drawn: BinaryHeap<(u64, u64)> = BinaryHeap::new();
        self.each(|index, _| {
            drawn.push((rng.bits(index, 0, 0), index));
            if drawn.len() > limit {
                drawn.pop();
            }
            Ok(())
        })?;
        let mut chosen: Vec<u64> = drawn.into_iter().map(|(_, index)| index).collect();
        chosen.sort_unstable();
        let mut writer = JsonlWriter::create(target)?;
        let mut wanted = chosen.iter().copied().peekable();
        self.each(|index, text| {
            if wanted.next_if_eq(&index).is_some() {
                writer.write(&TextRow { text })?;
            }
            Ok(())
        })?;
        writer.commit()?;
        Ok(chosen.len() as u64)
    }

    /// Calls `with` for every text that is not toxic, with its number among all rows.
    fn each(&self, mut with: impl FnMut(u64, &str) -> Result<()>) -> Result<()> {
        let mut rows = JsonlReader::<Map<String, Value>>::open(self.file)?;
        let mut index = 0;
        while let Some(row) = rows.next().transpose()? {
            let malformed = |key: &str, expected: &'static str| {
                Error::new(ErrorKind::InvalidInput, "study", "read labelled texts", expected)
                    .with_path(self.file)
                    .with_line(rows.line_number())
                    .with_key(key.to_owned())
            };
            let label = match row.get(self.label) {
                Some(Value::Bool(is_toxic)) => f64::from(*is_toxic),
                Some(Value::Number(number)) => number.as_f64().unwrap_or(f64::NAN),
                _ => return Err(malformed(self.label, "neither a number nor a truth value")),
            };
            let text = row.get("text").and_then(Value::as_str);
            let text = text.ok_or_else(|| malformed("text", "no text"))?;
            if label <= self.at_most {
                with(index, text)?;
            }
            index += 1;
        }
        Ok(())
    }
}
