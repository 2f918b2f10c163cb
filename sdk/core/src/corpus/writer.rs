use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::COMPONENT;
use super::compression::{Sink, is_standard_stream};
use crate::files::AtomicFile;
use crate::{Error, ErrorKind, Result};

/// Writes rows as JSON lines. A file appears under its name when it is committed, and not before.
pub struct JsonlWriter {
    path: PathBuf,
    sink: Sink,
    line: Vec<u8>,
    rows: u64,
}

impl JsonlWriter {
    /// Begins a file: plain, or compressed when its name ends in `.gz` or `.zst`; `-` is standard
    /// output (plain, and written as it comes).
    ///
    /// # Errors
    /// When the file cannot be begun.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let sink = if is_standard_stream(path) {
            Sink::standard_output()
        } else {
            Sink::new(path, AtomicFile::create(path)?)
                .map_err(|e| Error::io(COMPONENT, "begin a JSONL file", path, e))?
        };
        Ok(Self { path: path.to_path_buf(), sink, line: Vec::new(), rows: 0 })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When the row cannot be expressed in JSON or written.
    pub fn write<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, row).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, COMPONENT, "write a row", e.to_string())
                .with_path(&self.path)
                .with_line(self.rows + 1)
                .with_source(e)
        })?;
        self.line.push(b'\n');
        self.sink
            .write_all(&self.line)
            .map_err(|e| Error::io(COMPONENT, "write a row", &self.path, e))?;
        self.rows += 1;
        Ok(())
    }

    /// How many rows were written.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// When it cannot be written out; what had this name before is then as it was.
    pub fn commit(self) -> Result<()> {
        let file = self
            .sink
            .finish()
            .map_err(|e| Error::io(COMPONENT, "finish a JSONL file", &self.path, e))?;
        file.map_or(Ok(()), AtomicFile::commit)
    }
}

impl fmt::Debug for JsonlWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlWriter")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::corpus::{JsonlReader, TextRow};

    fn row(number: usize) -> TextRow {
        TextRow::new(format!("número {number}\n\"quoted\" \u{1F600}"))
    }

    fn write(path: &Path, rows: usize) {
        let mut writer = JsonlWriter::create(path).unwrap();
        for number in 0..rows {
            writer.write(&row(number)).unwrap();
        }
        assert_eq!(writer.rows(), rows as u64);
        assert!(!path.exists());
        writer.commit().unwrap();
    }

    #[test]
    fn every_format_gives_back_what_was_written_and_always_the_same_bytes() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"] {
            let path = directory.path().join(name);
            write(&path, 5000);
            let first = fs::read(&path).unwrap();
            write_again(&path);
            assert_eq!(fs::read(&path).unwrap(), first, "{name}");
            for (number, read) in JsonlReader::<TextRow>::open(&path).unwrap().enumerate() {
                assert_eq!(read.unwrap(), row(number), "{name}");
            }
            assert_eq!(JsonlReader::<TextRow>::open(&path).unwrap().count(), 5000, "{name}");
        }
        let size = |name: &str| fs::metadata(directory.path().join(name)).unwrap().len();
        assert!(size("rows.jsonl.gz") < size("rows.jsonl") / 4);
        assert!(size("rows.jsonl.zst") < size("rows.jsonl") / 4);
    }

    fn write_again(path: &Path) {
        fs::remove_file(path).unwrap();
        write(path, 5000);
    }

    #[test]
    fn gzip_members_and_zstandard_frames_in_a_row_are_one_file() {
        let directory = tempfile::tempdir().unwrap();
        for extension in ["gz", "zst"] {
            let path = directory.path().join(format!("part.jsonl.{extension}"));
            write(&path, 3);
            let once = fs::read(&path).unwrap();
            fs::write(&path, [once.clone(), once].concat()).unwrap();
            let rows: Result<Vec<TextRow>> = JsonlReader::open(&path).unwrap().collect();
            assert_eq!(rows.unwrap().len(), 6, "{extension}");
        }
    }

    #[test]
    fn a_compressed_file_that_is_cut_off_is_an_error_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        for extension in ["gz", "zst"] {
            let path = directory.path().join(format!("rows.jsonl.{extension}"));
            write(&path, 2);
            let whole = fs::read(&path).unwrap();
            fs::write(&path, &whole[..whole.len() - 3]).unwrap();
            let rows: Vec<_> = JsonlReader::<TextRow>::open(&path).unwrap().collect();
            let error = rows.last().unwrap().as_ref().unwrap_err();
            assert!(error.line_number().is_some());
            assert!(error.to_string().contains("cut off"), "{extension}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_committed_does_not_appear() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"] {
            let mut writer = JsonlWriter::create(directory.path().join(name)).unwrap();
            writer.write(&row(0)).unwrap();
            drop(writer);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
