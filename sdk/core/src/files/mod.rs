//! Files that are whole or not there: write beside, make durable, rename.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::partial::Partial;
use crate::{Error, ErrorKind, Result};

mod partial;
mod toml_text;

pub use toml_text::{line_of, parse_toml};

const COMPONENT: &str = "files";

/// A file that appears under its name when it is committed, and not before.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    partial: Partial,
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Begins a file that will be `target`, in an existing or new directory.
    ///
    /// # Errors
    /// When the directory or the file beside it cannot be made.
    pub fn create(target: impl AsRef<Path>) -> Result<Self> {
        let target = target.as_ref();
        let partial = Partial::of(target);
        if let Some(parent) = target.parent() {
            create_directory(parent)?;
        }
        let file = File::create(partial.path())
            .map_err(|e| Error::io(COMPONENT, "begin a file", partial.path(), e))?;
        let writer = Some(BufWriter::with_capacity(1 << 16, file));
        Ok(Self { target: target.to_path_buf(), partial, writer })
    }

    /// Makes the content durable and gives it its name.
    ///
    /// # Errors
    /// When it cannot be written out; the target is then as it was.
    pub fn commit(mut self) -> Result<()> {
        let written = self.finish();
        if written.is_err() {
            // What could not be written must not take up the space that is missing.
            let _ = fs::remove_file(self.partial.path());
        }
        written.map_err(|e| Error::io(COMPONENT, "write", &self.target, e))?;
        sync_parent(&self.target)
    }

    fn finish(&mut self) -> std::io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let file = match writer.into_inner() {
            Ok(file) => file,
            Err(unwritten) => {
                let (error, writer) = unwritten.into_parts();
                drop(writer.into_parts());
                return Err(error);
            }
        };
        file.sync_all()?;
        fs::rename(self.partial.path(), &self.target)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.as_mut().map_or(Ok(0), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // `into_parts` forgets what is buffered instead of flushing it into a file to be removed.
            drop(writer.into_parts());
            let _ = fs::remove_file(self.partial.path());
        }
    }
}

/// Writes a whole file at once, atomically.
///
/// # Errors
/// When it cannot be written; the target is then as it was.
pub fn write_atomically(target: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
    let target = target.as_ref();
    let mut file = AtomicFile::create(target)?;
    file.write_all(content.as_ref()).map_err(|e| Error::io(COMPONENT, "write", target, e))?;
    file.commit()
}

/// Writes a value as indented JSON, atomically.
///
/// # Errors
/// When it cannot be written, or has no JSON form.
pub fn write_json(target: impl AsRef<Path>, value: &impl Serialize) -> Result<()> {
    let target = target.as_ref();
    let mut text = serde_json::to_string_pretty(value).map_err(|e| {
        Error::new(ErrorKind::Internal, COMPONENT, "write JSON", e.to_string())
            .with_path(target)
            .with_source(e)
    })?;
    text.push('\n');
    write_atomically(target, text)
}

/// Reads a value from JSON.
///
/// # Errors
/// When the file cannot be read or is not what is asked for; the line is named.
pub fn read_json<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|e| Error::io(COMPONENT, "read JSON", path, e))?;
    serde_json::from_str(&text).map_err(|e| {
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read JSON", e.to_string())
            .with_path(path)
            .with_line(e.line() as u64)
            .with_source(e)
    })
}

/// Builds a directory beside its final place with `fill`, makes it durable and renames it, so that
/// it is whole or not there. What is left of an earlier attempt is removed first.
///
/// # Errors
/// When `fill` fails, or the directory cannot be written or renamed.
pub fn create_directory_atomically(
    target: impl AsRef<Path>,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let target = target.as_ref();
    let held = Partial::of(target);
    let partial = held.path();
    let failed = |e| Error::io(COMPONENT, "write a directory", target, e);
    if partial.exists() {
        fs::remove_dir_all(partial).map_err(failed)?;
    }
    create_directory(partial)?;
    let filled = fill(partial).and_then(|()| sync_tree(partial).map_err(failed));
    if let Err(error) = filled {
        let _ = fs::remove_dir_all(partial);
        return Err(error);
    }
    fs::rename(partial, target).map_err(failed)?;
    sync_parent(target)
}

/// The same for a directory that must not exist yet: nothing of a user's is replaced.
///
/// # Errors
/// As [`create_directory_atomically`], and when `target` exists.
pub fn create_new_directory(
    target: impl AsRef<Path>,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let target = target.as_ref();
    if target.exists() {
        let message = "it exists already";
        return Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "make a directory", message)
            .with_path(target)
            .with_remedy("name a directory that does not exist yet"));
    }
    create_directory_atomically(target, fill)
}

/// Puts a finished file, which nobody changes any more, in a second place: as a link to the same bytes
/// where the file system has such links, else as a copy. What is in that place already stays.
///
/// # Errors
/// When neither can be made.
pub fn share(from: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<()> {
    let (from, target) = (from.as_ref(), target.as_ref());
    if let Some(parent) = target.parent() {
        create_directory(parent)?;
    }
    if target.exists() || fs::hard_link(from, target).is_ok() {
        return sync_parent(target);
    }
    let content = fs::read(from).map_err(|e| Error::io(COMPONENT, "read", from, e))?;
    write_atomically(target, content)
}

/// Makes a directory and its parents.
///
/// # Errors
/// When it cannot be made.
pub fn create_directory(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    fs::create_dir_all(path).map_err(|e| Error::io(COMPONENT, "make a directory", path, e))
}

fn sync_tree(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    File::open(directory)?.sync_all()
}

/// A rename is durable only once its directory is.
fn sync_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(|e| Error::io(COMPONENT, "write", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_file_is_there_twice_and_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let [first, second, third] =
            ["first", "more/second", "third"].map(|name| directory.path().join(name));
        write_atomically(&first, "content").unwrap();
        share(&first, &second).unwrap();
        assert_eq!(fs::read_to_string(&second).unwrap(), "content");
        write_atomically(&third, "other").unwrap();
        share(&third, &second).unwrap();
        assert_eq!(fs::read_to_string(&second).unwrap(), "content");
        let error = share(directory.path().join("none"), directory.path().join("fourth"));
        assert!(error.unwrap_err().to_string().contains("none"));
    }

    #[test]
    fn two_writers_of_one_file_do_not_share_what_they_write() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("part.jsonl");
        let mut abandoned = AtomicFile::create(&target).unwrap();
        abandoned.write_all(b"row\n").unwrap();
        write_atomically(&target, "row\nrow\n").unwrap();
        abandoned.write_all(b"row\n").unwrap();
        abandoned.commit().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "row\nrow\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_file_leaves_the_old_one_and_no_trace() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.json");
        write_atomically(&target, "old").unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        write_atomically(&target, "new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn a_directory_is_whole_or_absent() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("model");
        let failed = create_directory_atomically(&target, |partial| {
            write_atomically(partial.join("half"), "1")?;
            Err(Error::new(ErrorKind::Internal, "test", "fill", "stopped"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        create_directory_atomically(&target, |partial| write_atomically(partial.join("all"), "2"))
            .unwrap();
        assert_eq!(fs::read_to_string(target.join("all")).unwrap(), "2");
    }
}
