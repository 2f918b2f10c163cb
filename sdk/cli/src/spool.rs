//! Standard input where a file is read more than once.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use detoxlm::{Error, Result};
use tempfile::NamedTempFile;

use crate::session::is_stream;

/// A file that can be read again, whatever it was named.
#[derive(Debug)]
pub(crate) enum Spooled {
    /// A file of the user's.
    File(PathBuf),
    /// A copy of standard input, removed with this.
    Copy(NamedTempFile),
}

impl Spooled {
    /// Copies standard input to a temporary file if `path` is `-`.
    ///
    /// # Errors
    /// When standard input cannot be read or the copy not be written.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        if !is_stream(path) {
            return Ok(Self::File(path.to_path_buf()));
        }
        let failed = |e| Error::io("command line", "keep a copy of standard input", path, e);
        let mut copy = tempfile::Builder::new()
            .prefix("detoxlm-")
            .suffix(".jsonl")
            .tempfile()
            .map_err(failed)?;
        io::copy(&mut io::stdin().lock(), &mut copy).map_err(failed)?;
        copy.flush().map_err(failed)?;
        Ok(Self::Copy(copy))
    }

    /// Where it can be read.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Copy(copy) => copy.path(),
        }
    }
}
