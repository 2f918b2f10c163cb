//! One process per directory or file.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::files::create_directory;
use crate::{Error, ErrorKind, Result};

/// Holds a directory for this process until it is dropped. The system frees it when the process
/// ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of a directory, which is made if need be.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`], naming the other process, when it is taken.
    pub fn acquire(directory: &Path) -> Result<Self> {
        create_directory(directory)?;
        hold(&directory.join(".lock"), directory).map(|file| Self { _file: file })
    }
}

/// Holds a file for this process until it is dropped, as [`DirectoryLock`] holds a directory. The lock
/// is an empty file beside it, `NAME.lock`: readers of the file itself are not in its way.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of a file, which need not exist; its directory must.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`], naming the other process, when it is taken.
    pub(crate) fn beside(path: &Path) -> Result<Self> {
        let mut lock = OsString::from(path);
        lock.push(".lock");
        hold(Path::new(&lock), path).map(|file| Self { _file: file })
    }
}

/// Locks the file at `lock`, which stands for `held`.
fn hold(lock: &Path, held: &Path) -> Result<File> {
    let failed = |e| Error::io("run", "take the lock", lock, e);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(lock)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(Error::new(
                ErrorKind::Locked,
                "run",
                "take the lock",
                format!("another process works here (process {})", holder.trim()),
            )
            .with_path(held)
            .with_remedy("wait for it or stop it; the lock goes with the process"));
        }
        Err(TryLockError::Error(e)) => return Err(failed(e)),
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::acquire(directory.path()).unwrap();
        let error = DirectoryLock::acquire(directory.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(first);
        DirectoryLock::acquire(directory.path()).unwrap();
    }

    #[test]
    fn files_of_a_directory_are_held_apart() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one.jsonl", "other.jsonl"].map(|name| directory.path().join(name));
        let _one = FileLock::beside(&one).unwrap();
        let _other = FileLock::beside(&other).unwrap();
        let error = FileLock::beside(&one).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Locked, Some(one.as_path())));
    }
}
