use std::fs;

use serde::Deserialize;

use super::*;
use crate::Digest;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Word {
    key: String,
    word: String,
}

impl KeyedRow for Word {
    fn key(&self) -> Option<RowKey> {
        RowKey::from_hex(&self.key)
    }
}

const KIND: RowKind = RowKind {
    component: "test",
    operation: "remember words",
    not_a_row: "not a word",
    remedy: "remove it",
};

fn word(word: &str) -> Word {
    Word { key: Digest::of(word).to_string(), word: word.into() }
}

fn key(word: &str) -> RowKey {
    RowKey::from(&Digest::of(word))
}

#[test]
fn a_kill_at_any_byte_loses_the_row_under_way_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new").join("words.jsonl");
    let mut store = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
    store.add(&[word("naïve"), word("你好")]).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in first..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        // A reader leaves the file as it is; a writer cuts it.
        let mut seen = 0;
        let reader = RowStore::<Word>::read(&path, KIND, |_| {
            seen += 1;
            Ok(())
        });
        assert_eq!((reader.unwrap().len(), seen), (1, 1), "{end}");
        assert_eq!(fs::read(&path).unwrap().len(), end);
        let mut store = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
        assert_eq!(store.find(&[key("你好")]).unwrap(), [None]);
        store.add(&[word("你好")]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "{end}");
    }
}

#[test]
fn one_writes_and_others_read_what_is_added() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words.jsonl");
    let mut writer = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
    let mut reader = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
    assert!(writer.is_writable() && !reader.is_writable());
    assert_eq!(reader.find(&[key("one")]).unwrap(), [None]);
    writer.add(&[word("one")]).unwrap();
    reader.add(&[word("two")]).unwrap();
    assert_eq!(reader.find(&[key("two"), key("one")]).unwrap(), [None, Some(word("one"))]);
    assert!(writer.contains(key("one")) && !writer.contains(key("two")));
    let mut snapshot = RowStore::<Word>::read(&path, KIND, |_| Ok(())).unwrap();
    writer.add(&[word("three")]).unwrap();
    assert_eq!(snapshot.find(&[key("three")]).unwrap(), [None]);
}

#[test]
fn a_foreign_line_is_named_and_a_missing_file_is_only_an_error_to_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words.jsonl");
    let missing = RowStore::<Word>::read(&path, KIND, |_| Ok(())).unwrap_err();
    assert_eq!((missing.kind(), missing.path()), (ErrorKind::NotFound, Some(path.as_path())));
    RowStore::open(&path, KIND, |_| Ok(())).unwrap().add(&[word("one")]).unwrap();
    for line in ["{}", "\u{fffd}", r#"{"key":"éé","word":"w"}"#] {
        let rows = format!("{}{line}\n", fs::read_to_string(&path).unwrap());
        let foreign = directory.path().join("foreign.jsonl");
        fs::write(&foreign, rows).unwrap();
        let error = RowStore::<Word>::open(&foreign, KIND, |_| Ok(())).unwrap_err();
        assert_eq!((error.kind(), error.line_number()), (ErrorKind::InvalidInput, Some(2)));
        assert_eq!((error.message(), error.remedy()), ("not a word", Some("remove it")));
    }
}

#[test]
fn the_later_of_two_rows_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words.jsonl");
    let mut store = RowStore::open(&path, KIND, |_| Ok(())).unwrap();
    let later = Word { word: "later".into(), ..word("one") };
    store.add(&[word("one")]).unwrap();
    store.add(&[later]).unwrap();
    assert_eq!(store.len(), 1);
    assert_eq!(store.find(&[key("one")]).unwrap()[0].as_ref().unwrap().word, "later");
}
