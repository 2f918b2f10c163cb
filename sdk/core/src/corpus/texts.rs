use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;

use super::{COMPONENT, JsonlReader, TextRow, compression};
use crate::{Error, ErrorKind, Result};

/// The texts of a file, one at a time.
#[derive(Debug)]
pub struct Texts(Source);

#[derive(Debug)]
enum Source {
    Whole(Option<String>),
    Rows(JsonlReader<TextRow>),
}

/// Reads texts to rate or to train on.
///
/// A file named `*.txt` (also `*.txt.gz`, `*.txt.zst`) is one document, as it stands: where a plain
/// text is to be cut is a decision that changes a perplexity, and not ours to guess. Everything else
/// is JSONL with a field `text`, one document a row; `-` is JSONL on standard input.
///
/// # Errors
/// When the file cannot be opened, or a `.txt` is not UTF-8. Malformed rows are errors of the
/// iterator.
pub fn read_texts(path: impl AsRef<Path>) -> Result<Texts> {
    let path = path.as_ref();
    if !is_plain_text(path) {
        return JsonlReader::open(path).map(|rows| Texts(Source::Rows(rows)));
    }
    let failed = |e| Error::io(COMPONENT, "read a text", path, e);
    let mut bytes = Vec::new();
    compression::reader(path).map_err(failed)?.read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let line = 1 + e.as_bytes()[..valid].iter().filter(|&&byte| byte == b'\n').count();
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read a text", "not UTF-8")
            .with_path(path)
            .with_line(line as u64)
            .with_remedy("save the file in UTF-8")
            .with_source(e)
    })?;
    let text = match text.strip_prefix('\u{FEFF}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    Ok(Texts(Source::Whole(Some(text))))
}

fn is_plain_text(path: &Path) -> bool {
    let extension = |path: &Path| path.extension().and_then(OsStr::to_str).map(str::to_owned);
    match extension(path).as_deref() {
        Some("gz" | "zst") => path.file_stem().map(Path::new).and_then(extension),
        extension => extension.map(str::to_owned),
    }
    .as_deref()
        == Some("txt")
}

impl Iterator for Texts {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Whole(text) => text.take().map(Ok),
            Source::Rows(rows) => rows.next().map(|row| row.map(|row| row.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_plain_text_is_one_document_and_jsonl_one_a_row() {
        let directory = tempfile::tempdir().unwrap();
        let read = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            read_texts(path).and_then(Iterator::collect::<Result<Vec<String>>>)
        };
        assert_eq!(read("a.txt", b"\xEF\xBB\xBFone\n\ntwo\n").unwrap(), ["one\n\ntwo\n"]);
        assert_eq!(read("a.jsonl", b"{\"text\":\"one\"}\n{\"text\":\"\"}").unwrap(), ["one", ""]);
        let error = read("b.txt", b"one\n\xFF").unwrap_err();
        assert_eq!(error.line_number(), Some(2));
        assert_eq!(read("b.jsonl", b"{\"text\":1}").unwrap_err().line_number(), Some(1));
    }

    #[test]
    fn the_name_under_a_compression_counts() {
        for (name, plain) in [
            ("a.txt", true),
            ("a.txt.gz", true),
            ("a.txt.zst", true),
            ("a.jsonl", false),
            ("a.jsonl.gz", false),
            ("-", false),
        ] {
            assert_eq!(is_plain_text(Path::new(name)), plain, "{name}");
        }
    }
}
