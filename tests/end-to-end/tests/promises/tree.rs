use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use detoxlm::Digest;

/// The digest of every file of a run but its locks, by its path within.
pub(crate) fn files(run: &Path) -> BTreeMap<PathBuf, Digest> {
    let mut found = BTreeMap::new();
    let mut pending = vec![run.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if !path.ends_with(".lock") {
                let name = path.strip_prefix(run).unwrap().to_path_buf();
                found.insert(name, Digest::of_file(&path).unwrap());
            }
        }
    }
    found
}

/// Fails with the names of the files that differ.
pub(crate) fn assert_same(run: &Path, expected: &BTreeMap<PathBuf, Digest>) {
    let found = files(run);
    let names: BTreeSet<_> = found
        .keys()
        .chain(expected.keys())
        .filter(|name| found.get(*name) != expected.get(*name))
        .collect();
    assert!(names.is_empty(), "files that differ, are missing or too many: {names:?}");
}
