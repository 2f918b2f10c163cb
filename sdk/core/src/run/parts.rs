use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::corpus::{JsonlReader, JsonlWriter, read_parts};

/// A corpus in numbered files, one for each unit of work: the grain of resumption. A file that is
/// there is complete; a unit without one is done whole.
#[derive(Clone, Debug)]
pub struct Parts {
    directory: PathBuf,
}

impl Parts {
    /// The parts in a directory, which need not exist yet.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where they are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file of a unit.
    #[must_use]
    pub fn path(&self, unit: u64) -> PathBuf {
        self.directory.join(format!("part-{unit:05}.jsonl"))
    }

    /// Whether a unit is done.
    #[must_use]
    pub fn contains(&self, unit: u64) -> bool {
        self.path(unit).is_file()
    }

    /// Writes a unit, whole.
    ///
    /// # Errors
    /// When it cannot be written; it is then not there.
    pub fn write<T: Serialize>(&self, unit: u64, rows: &[T]) -> Result<()> {
        let mut writer = JsonlWriter::create(self.path(unit))?;
        for row in rows {
            writer.write(row)?;
        }
        writer.commit()
    }

    /// Reads a unit.
    ///
    /// # Errors
    /// When it is missing or a row is malformed.
    pub fn read<T: DeserializeOwned>(&self, unit: u64) -> Result<Vec<T>> {
        JsonlReader::open(self.path(unit))?.collect()
    }

    /// The rows of units `0..units`, one at a time, in order.
    pub fn rows<T: DeserializeOwned + 'static>(
        &self,
        units: u64,
    ) -> impl Iterator<Item = Result<T>> + 'static {
        let parts = self.clone();
        read_parts((0..units).map(move |unit| parts.path(unit)))
    }
}
