use std::fmt;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{COMPONENT, JsonlReader, compression};
use crate::{Error, ErrorKind, Result};

/// A row of named fields, with its place for errors.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRow {
    /// The line of its file that it begins on, from 1.
    pub line: u64,
    fields: Map<String, Value>,
}

impl FieldRow {
    /// A row made of fields.
    #[must_use]
    pub const fn new(line: u64, fields: Map<String, Value>) -> Self {
        Self { line, fields }
    }

    /// A field by its name, or by the path to it where objects hold objects: `continuation.text`. A
    /// field whose own name is `continuation.text` comes first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).or_else(|| {
            let mut parts = name.split('.');
            let first = self.fields.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }

    /// The names of its fields, those within objects left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// All its fields.
    #[must_use]
    pub fn into_fields(self) -> Map<String, Value> {
        self.fields
    }
}

/// Rows of named fields out of a table, one at a time.
///
/// Files named `*.csv` are comma-separated and `*.tsv` tab-separated, as RFC 4180 has it: a first line
/// of names, quotes around what holds a separator or a line break, as many cells in every row. A cell
/// is a string. Everything else is JSONL. `.gz` and `.zst` are uncompressed, a byte-order mark is
/// accepted.
pub struct FieldRows {
    path: PathBuf,
    source: Source,
}

enum Source {
    Csv {
        names: Vec<String>,
        records: csv::StringRecordsIntoIter<Box<dyn BufRead + Send>>,
        lines: Lines,
    },
    Jsonl(JsonlReader<Map<String, Value>>),
    /// After a failure there is nothing to go on with.
    Ended,
}

impl FieldRows {
    /// Opens a file, or standard input (JSONL) when it is `-`.
    ///
    /// # Errors
    /// When it cannot be opened, or is a table without names or with one name twice.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let source = match separator(path) {
            None => Source::Jsonl(JsonlReader::open(path)?),
            Some(separator) => {
                let input = compression::reader(path)
                    .map_err(|e| Error::io(COMPONENT, "open a table", path, e))?;
                csv_source(path, separator, input)?
            }
        };
        Ok(Self { path: path.to_path_buf(), source })
    }
}

/// What separates the cells of a table of this name; `None` for JSONL.
fn separator(path: &Path) -> Option<u8> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" => Some(b','),
        "tsv" => Some(b'\t'),
        _ => None,
    }
}

/// The parser counts a line when it has read its line feed. Where lines end in CR LF, it takes the LF
/// for part of the next row, and every row for one line above its own.
#[derive(Clone, Copy, Debug)]
struct Lines {
    late_by: u64,
}

impl Lines {
    fn of(input: &mut (dyn BufRead + Send)) -> std::io::Result<Self> {
        let start = input.fill_buf()?;
        let first_end = start.iter().position(|&byte| byte == b'\n');
        let crlf = first_end.is_some_and(|at| at > 0 && start[at - 1] == b'\r');
        Ok(Self { late_by: u64::from(crlf) })
    }

    fn of_position(self, position: &csv::Position) -> u64 {
        position.line() + self.late_by
    }
}

fn csv_source(path: &Path, separator: u8, mut input: Box<dyn BufRead + Send>) -> Result<Source> {
    let lines =
        Lines::of(&mut *input).map_err(|e| Error::io(COMPONENT, "read a table", path, e))?;
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(input);
    let names = reader.headers().map_err(|e| csv_error(path, Lines { late_by: 0 }, e))?;
    let names: Vec<String> = names.iter().map(str::to_owned).collect();
    let refuse = |message: String, remedy: &'static str| {
        Err(Error::new(ErrorKind::InvalidInput, COMPONENT, "read a table", message)
            .with_path(path)
            .with_line(1)
            .with_remedy(remedy))
    };
    if names.iter().all(String::is_empty) {
        return refuse("it has no names of columns".into(), "put them in the first line");
    }
    let twice = names.iter().enumerate().find(|(at, name)| {
        // The index column that data frames write has no name; nobody asks for it.
        !name.is_empty() && names[..*at].contains(name)
    });
    if let Some((_, name)) = twice {
        return refuse(format!("two columns are named `{name}`"), "rename one of them");
    }
    Ok(Source::Csv { names, records: reader.into_records(), lines })
}

fn csv_error(path: &Path, lines: Lines, error: csv::Error) -> Error {
    let line = error.position().map(|position| lines.of_position(position));
    let (message, remedy) = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => (
            format!("{len} cells under {expected_len} names of columns"),
            "give every row as many cells, and put quotes around one that holds a separator",
        ),
        csv::ErrorKind::Utf8 { err, .. } => {
            (format!("cell {} of the row is not UTF-8", err.field() + 1), "save the file in UTF-8")
        }
        _ => (error.to_string(), "write or copy the file again"),
    };
    let shown = match error.into_kind() {
        csv::ErrorKind::Io(cause) => Error::io(COMPONENT, "read a table", path, cause),
        _ => Error::new(ErrorKind::InvalidInput, COMPONENT, "read a table", message)
            .with_path(path)
            .with_remedy(remedy),
    };
    match line {
        Some(line) => shown.with_line(line),
        None => shown,
    }
}

impl Iterator for FieldRows {
    type Item = Result<FieldRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match &mut self.source {
            Source::Ended => None,
            Source::Jsonl(rows) => {
                let row = rows.next()?;
                Some(row.map(|fields| FieldRow::new(rows.line_number(), fields)))
            }
            Source::Csv { names, records, lines } => records.next().map(|record| match record {
                Ok(record) => {
                    let line = record.position().map_or(0, |at| lines.of_position(at));
                    let cell = |cell: &str| Value::String(cell.to_owned());
                    let fields = names.iter().cloned().zip(record.iter().map(cell)).collect();
                    Ok(FieldRow::new(line, fields))
                }
                Err(error) => Err(csv_error(&self.path, *lines, error)),
            }),
        };
        if matches!(next, Some(Err(_))) {
            self.source = Source::Ended;
        }
        next
    }
}

impl fmt::Debug for FieldRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldRows").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(name: &str, content: &[u8]) -> Result<Vec<FieldRow>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        FieldRows::open(path)?.collect()
    }

    #[test]
    fn a_quoted_cell_may_hold_separators_quotes_and_line_breaks() {
        let csv = b"\xEF\xBB\xBF,text,toxic\r\n0,\"one, \"\"two\"\"\nthree\",1\r\n1, kind ,0\r\n";
        let rows = read("a.csv", csv).unwrap();
        assert_eq!(rows[0].get("text").unwrap(), "one, \"two\"\nthree");
        assert_eq!(rows[1].get("text").unwrap(), " kind ", "white space is part of a text");
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(rows[0].get("no"), None);
        let rows = read("a.TSV", b"a\tb\n1\tx,y\n").unwrap();
        assert_eq!(rows[0].get("b").unwrap(), "x,y");
    }

    #[test]
    fn a_path_leads_into_objects() {
        let json =
            b"\n{\"continuation\":{\"text\":\"a\",\"toxicity\":0.5},\"a.b\":1,\"a\":{\"b\":2}}\n";
        let rows = read("a.jsonl", json).unwrap();
        assert_eq!(rows[0].line, 2);
        assert_eq!(rows[0].get("continuation.text").unwrap(), "a");
        assert_eq!(rows[0].get("a.b").unwrap(), 1);
        assert_eq!(rows[0].get("continuation.text.more"), None);
    }

    #[test]
    fn a_malformed_table_names_its_line_and_what_to_do() {
        let cases: [(&[u8], u64, &str); 5] = [
            (b"text,toxic\nkind,0\nrude,1,2\n", 3, "3 cells under 2 names"),
            (b"text,toxic\nkind\n", 2, "1 cells under 2 names"),
            (b"text,toxic\nkind,\xFF\n", 2, "cell 2 of the row is not UTF-8"),
            (b"text,text\nkind,0\n", 1, "two columns are named `text`"),
            (b"", 1, "no names of columns"),
        ];
        for (content, line, words) in cases {
            let error = read("a.csv", content).unwrap_err();
            assert_eq!(error.line_number(), Some(line), "{error}");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(words) && error.remedy().is_some(), "{error}");
        }
        assert_eq!(FieldRows::open("no/such.csv").unwrap_err().kind(), ErrorKind::NotFound);
    }

    /// Whatever bytes a table is made of, reading it ends, in rows or in an error with a line.
    #[test]
    fn no_bytes_make_it_panic() {
        let pieces: [&[u8]; 10] =
            [b"a", b",", b"\"", b"\n", b"\r", b"\r\n", b"\xFF", b"\xEF\xBB\xBF", b"\0", b"\"\""];
        for seed in 0..4_000_usize {
            let mut state = seed * 2_654_435_761 + 1;
            let mut content = Vec::new();
            for _ in 0..seed % 23 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                content.extend_from_slice(pieces[(state >> 33) % pieces.len()]);
            }
            let input: Box<dyn BufRead + Send> = Box::new(std::io::Cursor::new(content));
            let path = Path::new("a.csv");
            match csv_source(path, b',', input) {
                Err(error) => assert!(error.line_number().is_some(), "{error}"),
                Ok(source) => {
                    for row in (FieldRows { path: path.to_path_buf(), source }) {
                        match row {
                            Ok(row) => assert!(row.names().count() > 0),
                            Err(error) => assert!(error.line_number().is_some(), "{error}"),
                        }
                    }
                }
            }
        }
    }
}
