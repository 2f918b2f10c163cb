//! The test sets of an audit: one TOML file.

use std::path::{Path, PathBuf};

use detoxlm::Result;
use detoxlm::audit::{FunctionalSource, IdentitySource, LabelledSource, TestSet};
use serde::Deserialize;

use super::{missing, read};

/// What scorers are tested on. It names no scorer: the same sets serve every one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuditFile {
    labelled: Vec<LabelledSource>,
    identities: Vec<IdentitySource>,
    hatecheck: Vec<FunctionalSource>,
}

impl AuditFile {
    /// Reads a file, or standard input when it is `-`. Relative paths in it are relative to `data`, or
    /// to the file's own folder.
    ///
    /// # Errors
    /// Those of [`read`](super::read), or when it names no test set.
    pub(crate) fn read(path: &Path, data: Option<&Path>) -> Result<Self> {
        let (mut file, folder) = read::<Self>(path)?;
        if file.files().next().is_none() {
            let remedy =
                "name a test set: [[labelled]], [[identities]] or [[hatecheck]] with `file`";
            return Err(missing("labelled", remedy).with_path(path));
        }
        let folder = data.unwrap_or(&folder);
        for source in file.files() {
            if source.as_os_str().is_empty() {
                return Err(missing("file", "name a CSV, TSV or JSONL file").with_path(path));
            }
            *source = folder.join(&*source);
        }
        Ok(file)
    }

    fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let labelled = self.labelled.iter_mut().map(|source| &mut source.file);
        let identities = self.identities.iter_mut().map(|source| &mut source.file);
        let hatecheck = self.hatecheck.iter_mut().map(|source| &mut source.file);
        labelled.chain(identities).chain(hatecheck)
    }

    /// Reads all test sets, before anything is scored.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn sets(&self) -> Result<Vec<TestSet>> {
        let mut sets = Vec::new();
        for source in &self.labelled {
            sets.push(TestSet::Labelled(source.read()?));
        }
        for source in &self.identities {
            sets.push(TestSet::Identities(source.read()?));
        }
        for source in &self.hatecheck {
            sets.push(TestSet::Functional(source.read()?));
        }
        Ok(sets)
    }
}
