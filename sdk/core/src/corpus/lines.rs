use std::fmt;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

use super::{COMPONENT, compression};
use crate::{Error, ErrorKind, Result};

/// A longer line is no text for people but another kind of file, which must not fill the memory.
const LONGEST_LINE: u64 = 64 << 20;

/// The lines of a text file with their numbers, one at a time, without their ends.
///
/// A byte-order mark is accepted, `.gz` and `.zst` are uncompressed, and the last line needs no line
/// break.
pub(crate) struct TextLines {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    number: u64,
    ended: bool,
}

impl TextLines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let input = compression::reader(path)
            .map_err(|e| Error::io(COMPONENT, "open a text file", path, e))?;
        Ok(Self { path: path.to_path_buf(), input, number: 0, ended: false })
    }

    /// The number of the line that was read last, from 1.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn read(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes);
        self.number += 1;
        let read = read.map_err(|e| {
            Error::io(COMPONENT, "read a line", &self.path, e).with_line(self.number)
        })?;
        if read == 0 {
            return Ok(None);
        }
        if bytes.len() as u64 > LONGEST_LINE {
            return Err(self.malformed(format!("the line is over {} MiB", LONGEST_LINE >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            self.malformed("the line is not UTF-8".to_owned())
                .with_remedy("save the file in UTF-8")
                .with_source(e)
        })?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let text =
            if self.number == 1 { text.strip_prefix('\u{FEFF}') } else { None }.unwrap_or(text);
        Ok(Some(text.to_owned()))
    }

    fn malformed(&self, message: String) -> Error {
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read a line", message)
            .with_path(&self.path)
            .with_line(self.number)
    }
}

impl Iterator for TextLines {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = self.read().transpose();
        // After a failed read there is nothing to go on with.
        self.ended = !matches!(line, Some(Ok(_)));
        line
    }
}

impl fmt::Debug for TextLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextLines").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_no_ends_and_a_bad_one_has_a_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        std::fs::write(&path, b"\xEF\xBB\xBFone\r\n\ntwo").unwrap();
        let lines: Result<Vec<_>> = TextLines::open(&path).unwrap().collect();
        assert_eq!(lines.unwrap(), ["one", "", "two"]);
        std::fs::write(&path, b"one\n\xFF\nthree\n").unwrap();
        let lines: Vec<_> = TextLines::open(&path).unwrap().collect();
        assert_eq!(lines.len(), 2, "nothing after a failure");
        assert_eq!(lines[1].as_ref().unwrap_err().line_number(), Some(2));
        let missing = TextLines::open(&directory.path().join("no")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}
