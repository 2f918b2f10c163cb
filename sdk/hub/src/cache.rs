//! A model's folder in the Hub's cache, whose layout is that of Python's `huggingface_hub`:
//! `refs/<revision>` holds a commit, `snapshots/<commit>` has links to files in `blobs`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use detoxlm_core::files::{create_directory, write_atomically};
use detoxlm_core::{Error, Result};
use hf_hub::{Cache, Repo, RepoType};

use crate::COMPONENT;
use crate::reference::{ModelName, is_commit};

/// Where files lie while they are on their way. Python ignores it.
const STAGING: &str = ".partial";

/// The folder of one model.
#[derive(Debug)]
pub(crate) struct CachedModel {
    folder: PathBuf,
    reference: PathBuf,
    commit: Option<String>,
}

impl CachedModel {
    pub(crate) fn new(cache: &Path, name: &ModelName) -> Self {
        let folder = cache.join(repo(name.repository(), name.revision()).folder_name());
        Self {
            reference: folder.join("refs").join(name.revision()),
            commit: name.commit().map(str::to_owned),
            folder,
        }
    }

    /// The model's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A cache of this layout inside the folder, for what is on its way.
    pub(crate) fn staging(&self) -> PathBuf {
        self.folder.join(STAGING)
    }

    /// The snapshot that the revision meant when it was last asked for.
    pub(crate) fn known_snapshot(&self) -> Option<PathBuf> {
        let commit = match &self.commit {
            Some(commit) => commit.clone(),
            None => fs::read_to_string(&self.reference).ok()?.trim().to_owned(),
        };
        is_commit(&commit).then(|| self.snapshot(&commit))
    }

    /// The directory of a commit.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Remembers what the revision means.
    pub(crate) fn point_at(&self, commit: &str) -> Result<()> {
        if self.commit.is_some() || fs::read_to_string(&self.reference).is_ok_and(|it| it == commit)
        {
            return Ok(());
        }
        write_atomically(&self.reference, commit)
    }

    /// The content of this name, if it is there and as long as announced.
    pub(crate) fn blob(&self, etag: &str, size: Option<u64>) -> Option<PathBuf> {
        let blob = self.folder.join("blobs").join(etag);
        let length = fs::metadata(&blob).ok()?.len();
        (size.is_none() || size == Some(length)).then_some(blob)
    }

    /// Takes a whole file into the cache, under the name that it has.
    pub(crate) fn adopt(&self, whole: &Path) -> Result<PathBuf> {
        let blobs = self.folder.join("blobs");
        create_directory(&blobs)?;
        let blob = blobs.join(whole.file_name().unwrap_or_default());
        File::open(whole)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(whole, &blob))
            .map_err(|e| Error::io(COMPONENT, "take a file into the cache", &blob, e))?;
        Ok(blob)
    }

    /// Lets `file` of a commit be this content.
    pub(crate) fn link(&self, blob: &Path, commit: &str, file: &str) -> Result<()> {
        let snapshot = self.snapshot(commit);
        create_directory(&snapshot)?;
        let link = snapshot.join(file);
        let failed = |e| Error::io(COMPONENT, "link a file of the cache", &link, e);
        // Also what points to nothing any more is there.
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).map_err(failed)?;
        }
        link_or_move(blob, &link).map_err(failed)
    }
}

/// hf-hub's name for a model at a revision.
pub(crate) fn repo(repository: &str, revision: &str) -> Repo {
    Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned())
}

/// hf-hub's cache in a directory.
pub(crate) fn cache_in(directory: PathBuf) -> Cache {
    Cache::new(directory)
}

#[cfg(unix)]
fn link_or_move(blob: &Path, link: &Path) -> io::Result<()> {
    // Relative, so that the cache can be moved: snapshots/<commit>/file to blobs/<etag>.
    let target = Path::new("../../blobs").join(blob.file_name().unwrap_or_default());
    std::os::unix::fs::symlink(target, link)
}

/// Links need a privilege elsewhere; Python then keeps the file itself in the snapshot.
#[cfg(not(unix))]
fn link_or_move(blob: &Path, link: &Path) -> io::Result<()> {
    fs::rename(blob, link)
}
