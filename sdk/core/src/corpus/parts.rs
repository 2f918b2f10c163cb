use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::Result;
use crate::corpus::JsonlReader;

/// The rows of several JSONL files in a row, each opened when its turn comes.
///
/// A file that cannot be opened is one error; the rows after it still follow.
pub fn read_parts<T: DeserializeOwned>(
    paths: impl IntoIterator<Item = PathBuf>,
) -> impl Iterator<Item = Result<T>> {
    paths.into_iter().flat_map(|path| match JsonlReader::open(path) {
        Ok(rows) => Part::Rows(rows),
        Err(error) => Part::Failed(Some(error)),
    })
}

enum Part<T> {
    Rows(JsonlReader<T>),
    Failed(Option<crate::Error>),
}

impl<T: DeserializeOwned> Iterator for Part<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Rows(rows) => rows.next(),
            Self::Failed(error) => error.take().map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{JsonlWriter, TextRow};

    #[test]
    fn parts_follow_each_other_and_a_missing_one_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["a.jsonl", "b.jsonl.zst"] {
            let mut writer = JsonlWriter::create(path(name)).unwrap();
            writer.write(&TextRow::new(name)).unwrap();
            writer.commit().unwrap();
        }
        let paths = ["a.jsonl", "gone.jsonl", "b.jsonl.zst"].map(path);
        let rows: Vec<Result<TextRow>> = read_parts(paths).collect();
        assert_eq!(rows[0].as_ref().unwrap().text, "a.jsonl");
        assert_eq!(rows[1].as_ref().unwrap_err().path(), Some(path("gone.jsonl").as_path()));
        assert_eq!(rows[2].as_ref().unwrap().text, "b.jsonl.zst");
        assert_eq!(rows.len(), 3);
    }
}
