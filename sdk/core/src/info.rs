//! Who somebody is: name, version and the digest of their content.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Compute, Error, Result};

/// The SHA-256 of what decides somebody's answers: weights, tokenizer, configuration, rules.
///
/// Two objects with equal digests give equal answers; a cache or a report may rely on it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of a byte string.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let mut builder = DigestBuilder::new();
        builder.update(bytes);
        builder.finish()
    }

    /// Where in [0, 1) it lies. What is digested is spread evenly, the same everywhere and for ever: a
    /// share of texts is held out by their content alone.
    #[must_use]
    pub fn position(&self) -> f64 {
        // Thirteen hexadecimal digits are 52 bits: exact in an f64.
        let digits = self.as_str().get(..13).unwrap_or("0");
        u64::from_str_radix(digits, 16).unwrap_or(0) as f64 / (1_u64 << 52) as f64
    }

    /// The digest of a file's content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_file(path: impl AsRef<Path>) -> Result<Self> {
        let mut builder = DigestBuilder::new();
        builder.update_file(path.as_ref())?;
        Ok(builder.finish())
    }

    /// The digest of the names and contents of a directory's files, hidden ones and subdirectories
    /// left out.
    ///
    /// # Errors
    /// When the directory or a file cannot be read.
    pub fn of_directory(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |e| Error::io("digest", "read a directory", path, e);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_file() && !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort();
        let mut builder = DigestBuilder::new();
        for name in names {
            builder.update(&name).update_file(&path.join(&name))?;
        }
        Ok(builder.finish())
    }

    /// All 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits: short enough for a folder name, long enough not to collide.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.short())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Builds a [`Digest`] out of several pieces.
#[derive(Clone, Default)]
pub struct DigestBuilder(Sha256);

impl fmt::Debug for DigestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestBuilder")
    }
}

impl DigestBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field, prefixed by its length so that `("ab", "c")` and `("a", "bc")` differ.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a file's content, streamed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn update_file(&mut self, path: &Path) -> Result<&mut Self> {
        let failed = |e| Error::io("digest", "read a file", path, e);
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        self.0.update(length.to_le_bytes());
        let mut buffer = vec![0_u8; 1 << 20];
        loop {
            let read = file.read(&mut buffer).map_err(failed)?;
            if read == 0 {
                return Ok(self);
            }
            self.0.update(&buffer[..read]);
        }
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> Digest {
        use fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        Digest(text)
    }
}

/// Identity of a generator, scorer, filter, trainer or evaluator. It says who; what they can do is
/// in their capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Info {
    /// A short name, such as `onnx:toxic-bert`.
    pub name: String,
    /// The version of the implementation or of the model.
    pub version: String,
    /// What the answers depend on.
    pub digest: Digest,
    /// On what a framework computes, where that is chosen: files of one are not gone on with on another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
}

impl Info {
    /// Puts an identity together.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>, digest: Digest) -> Self {
        Self { name: name.into(), version: version.into(), digest, compute: None }
    }

    /// Says on what the framework computes: a device that is there, not `auto`.
    #[must_use]
    pub const fn with_compute(mut self, compute: Compute) -> Self {
        self.compute = Some(compute);
        self
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        if let Some(compute) = self.compute {
            write!(f, " on {compute}")?;
        }
        write!(f, " ({})", self.digest.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn who_computes_on_what_is_said_where_there_is_a_choice() {
        let info = Info::new("a", "1", Digest::of("a"));
        assert_eq!(info.to_string(), format!("a 1 ({})", info.digest.short()));
        assert!(!serde_json::to_string(&info).unwrap().contains("compute"));
        let chosen = info.clone().with_compute(Compute::default().with_device(Device::Cuda(0)));
        assert_eq!(chosen.to_string(), format!("a 1 on cuda:0 in f32 ({})", info.digest.short()));
        assert_ne!(chosen, info);
        for info in [info, chosen] {
            let written = serde_json::to_string(&info).unwrap();
            assert_eq!(serde_json::from_str::<Info>(&written).unwrap(), info);
        }
    }
}
