use std::fmt;
use std::io::{self, BufRead, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{COMPONENT, compression};
use crate::{Error, ErrorKind, Result};

/// A line longer than this is no JSON line but another kind of file, which must not fill the memory.
const LONGEST_LINE: usize = 64 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Rows of a JSONL file, one at a time.
///
/// Lines of nothing but white space are skipped, a byte-order mark is accepted, and the last line
/// needs no line break. A malformed row is an error that names file and line; the iterator goes on
/// after it, for callers who can do without that row. After a failed read there is nothing to go on
/// with, and the iterator ends.
pub struct JsonlReader<T> {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
    ended: bool,
    row: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonlReader<T> {
    /// Opens a file: plain, `.gz` (of any number of members), `.zst`, or `-` for standard input
    /// (plain).
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let input = compression::reader(path)
            .map_err(|e| Error::io(COMPONENT, "open a JSONL file", path, e))?;
        Ok(Self::new(path, input))
    }

    /// Reads rows from anything; `name` is what errors call it.
    pub fn new(name: impl AsRef<Path>, input: impl BufRead + Send + 'static) -> Self {
        Self {
            path: name.as_ref().to_path_buf(),
            input: Box::new(input),
            line: Vec::new(),
            number: 0,
            ended: false,
            row: PhantomData,
        }
    }

    /// The number of the line that was read last, from 1.
    #[must_use]
    pub const fn line_number(&self) -> u64 {
        self.number
    }

    /// Reads the next line into the buffer; whether there was one.
    fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        self.number += 1;
        let most = LONGEST_LINE as u64 + 1;
        let read = self
            .input
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.line)
            .map_err(|e| self.read_error(e))?;
        if self.line.len() > LONGEST_LINE {
            return Err(self.row_error(format!("the line is over {} MiB", LONGEST_LINE >> 20)));
        }
        Ok(read > 0)
    }

    fn parse(&self) -> Result<Option<T>> {
        let mut bytes = self.line.as_slice();
        if self.number == 1 {
            bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|e| {
            self.row_error(format!("byte {} of the line is not UTF-8", e.valid_up_to() + 1))
                .with_remedy("save the file in UTF-8")
                .with_source(e)
        })?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(text).map(Some).map_err(|e| {
            if e.is_eof() {
                let remedy = "the file was cut off while it was written or copied: write it again, \
                              or remove this line";
                return self
                    .row_error("the row ends in the middle".into())
                    .with_remedy(remedy)
                    .with_source(e);
            }
            self.row_error(what_is_wrong(&e)).with_source(e)
        })
    }

    fn read_error(&self, error: io::Error) -> Error {
        let cut_off = error.kind() == io::ErrorKind::UnexpectedEof;
        let error =
            Error::io(COMPONENT, "read a JSONL file", &self.path, error).with_line(self.number);
        if cut_off {
            return error.with_remedy("the compressed file is cut off: write or copy it again");
        }
        error
    }

    fn row_error(&self, message: String) -> Error {
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read a row", message)
            .with_path(&self.path)
            .with_line(self.number)
    }
}

/// The message of serde_json without its place: every row is "line 1" to it.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&place) {
        Some(bare) if error.is_syntax() => {
            format!("not JSON: {bare}, column {}", error.column())
        }
        Some(bare) => bare.to_owned(),
        None => message,
    }
}

impl<T: DeserializeOwned> Iterator for JsonlReader<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.advance() {
                Ok(true) => {
                    if let Some(row) = self.parse().transpose() {
                        return Some(row);
                    }
                }
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl<T> fmt::Debug for JsonlReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlReader")
            .field("path", &self.path)
            .field("line", &self.number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::corpus::TextRow;

    fn read(content: &[u8]) -> Vec<Result<TextRow>> {
        JsonlReader::new("rows.jsonl", Cursor::new(content.to_vec())).collect()
    }

    fn only_error(content: &[u8]) -> Error {
        let mut errors: Vec<_> = read(content).into_iter().filter_map(Result::err).collect();
        assert_eq!(errors.len(), 1);
        errors.remove(0)
    }

    #[test]
    fn blank_lines_a_byte_order_mark_and_a_missing_last_break_are_accepted() {
        let rows = read(b"\xEF\xBB\xBF{\"text\":\"a\"}\r\n\n  \t\n{\"text\":\"b\"}");
        let texts: Vec<_> = rows.into_iter().map(|row| row.unwrap().text).collect();
        assert_eq!(texts, ["a", "b"]);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn a_malformed_row_names_file_line_and_fault_and_the_rest_is_still_read() {
        let content = b"{\"text\":\"a\"}\n\n{\"text\" \"b\"}\n{\"text\":\"c\"}\n";
        let rows = read(content);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2].as_ref().unwrap().text, "c");
        let error = only_error(content);
        assert_eq!((error.kind(), error.line_number()), (ErrorKind::InvalidInput, Some(3)));
        assert_eq!(
            error.to_string(),
            "corpus: cannot read a row: rows.jsonl:3: not JSON: expected `:`, column 9"
        );
    }

    #[test]
    fn a_last_line_that_is_cut_off_is_an_error() {
        let error = only_error(b"{\"text\":\"a\"}\n{\"text\":\"b");
        assert_eq!(error.line_number(), Some(2));
        assert!(error.to_string().contains("ends in the middle"), "{error}");
    }

    #[test]
    fn invalid_utf8_names_line_and_byte() {
        let error = only_error(b"{\"text\":\"a\"}\n{\"text\":\"\xFF\"}\n");
        assert_eq!(error.line_number(), Some(2));
        assert!(error.to_string().contains("byte 10"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = JsonlReader::<TextRow>::open("no/such.jsonl").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("no/such.jsonl"), "{error}");
    }

    #[test]
    fn a_line_without_end_stops_before_it_fills_the_memory() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        let mut reader = JsonlReader::<TextRow>::new("endless", endless);
        let error = reader.next().unwrap().unwrap_err();
        assert!(error.to_string().contains("over 64 MiB"), "{error}");
        assert!(reader.next().is_none());
    }
}
