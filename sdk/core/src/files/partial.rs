//! Names for what is being written, each held by one writer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How such names begin. A file or directory of such a name was left by an interruption and means
/// nothing.
const BEGINNING: &str = ".partial-";

/// The names that are held in this process. Work whose future was dropped writes on for a moment, and
/// what begins again in the same directory must not share a file with it; other processes are kept out
/// by the directory's lock.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A name beside a target, until it is dropped.
#[derive(Debug)]
pub(super) struct Partial(PathBuf);

impl Partial {
    /// The target's own partial name, or a numbered one where that is held.
    pub(super) fn of(target: &Path) -> Self {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let mut path = target.with_file_name(format!("{BEGINNING}{name}"));
        for number in 2_u64.. {
            if held.insert(path.clone()) {
                break;
            }
            path = target.with_file_name(format!("{BEGINNING}{number}-{name}"));
        }
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_once_and_free_again() {
        let target = Path::new("somewhere/part.jsonl");
        let first = Partial::of(target);
        let second = Partial::of(target);
        assert_eq!(first.path(), Path::new("somewhere/.partial-part.jsonl"));
        assert_eq!(second.path(), Path::new("somewhere/.partial-2-part.jsonl"));
        drop(first);
        assert_eq!(Partial::of(target).path(), Path::new("somewhere/.partial-part.jsonl"));
    }
}
