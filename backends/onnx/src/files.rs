//! Where a classifier's files are: in a directory, or in this program.

use std::borrow::Cow;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use detoxlm_core::{DigestBuilder, Error, ErrorKind, Result};

use crate::COMPONENT;
use crate::source::OPERATION;

pub(crate) const MODEL: &str = "model.onnx";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const OPTIONS: &str = "scorer.json";

/// Without these there is no classifier.
const REQUIRED: [&str; 3] = [MODEL, TOKENIZER, CONFIG];

/// The files that a classifier consists of.
#[derive(Clone, Debug)]
pub(crate) enum Files {
    Directory(PathBuf),
    Memory(MemoryFiles),
}

/// A classifier's files in this program's memory, as `include_bytes!` puts them there.
///
/// `model.onnx`, `tokenizer.json` and `config.json` have to be among them; the graph's weights are in
/// it, not in further files.
#[derive(Clone, Copy, Debug)]
pub struct MemoryFiles {
    /// What the scorer is called, and what stands for the directory in the paths of errors.
    pub name: &'static str,
    /// The name and the content of each.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// A graph's file, as engines load it.
#[derive(Clone, Debug)]
pub(crate) struct ModelFile {
    /// Where it is, or for one in memory what stands for that in errors.
    pub(crate) path: PathBuf,
    /// Its content, where it is in memory.
    pub(crate) bytes: Option<&'static [u8]>,
}

impl Files {
    /// The files of a directory, once it has all that a classifier needs.
    pub(crate) fn in_directory(path: &Path) -> Result<Self> {
        let missing = |what: &'static str, path: &Path| {
            Error::new(ErrorKind::NotFound, COMPONENT, OPERATION, what)
                .with_path(path)
                .with_remedy("name a directory with model.onnx, tokenizer.json and config.json")
        };
        if !path.is_dir() {
            return Err(missing("no such directory", path));
        }
        for name in REQUIRED {
            let file = path.join(name);
            if !file.is_file() {
                return Err(missing("no such file", &file));
            }
        }
        Ok(Self::Directory(path.to_path_buf()))
    }

    /// The same for files in memory.
    pub(crate) fn in_memory(memory: MemoryFiles) -> Result<Self> {
        let files = Self::Memory(memory);
        for name in REQUIRED {
            files.require(name)?;
        }
        Ok(files)
    }

    /// What names a file in errors.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Directory(path) => path.join(name),
            Self::Memory(memory) => Path::new(memory.name).join(name),
        }
    }

    /// A file's content; `None` when there is no such file.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        match self {
            Self::Directory(path) => {
                let path = path.join(name);
                match std::fs::read(&path) {
                    Ok(bytes) => Ok(Some(bytes.into())),
                    Err(e) if e.kind() == IoErrorKind::NotFound => Ok(None),
                    Err(e) => Err(Error::io(COMPONENT, OPERATION, &path, e)),
                }
            }
            Self::Memory(memory) => Ok(memory.get(name).map(Cow::Borrowed)),
        }
    }

    /// The content of a file without which there is no classifier.
    pub(crate) fn require(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        self.read(name)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, COMPONENT, OPERATION, "no such file")
                .with_path(self.path(name))
        })
    }

    /// The graph, for an engine; it may be large, and an engine may map it.
    pub(crate) fn model(&self) -> ModelFile {
        let bytes = match self {
            Self::Directory(_) => None,
            Self::Memory(memory) => memory.get(MODEL),
        };
        ModelFile { path: self.path(MODEL), bytes }
    }

    /// The name of a scorer on these files. A directory's own, also where its path ends in `.` or
    /// `..`.
    pub(crate) fn scorer_name(&self) -> String {
        match self {
            Self::Directory(path) => {
                let resolved = path.canonicalize().unwrap_or_else(|_| path.clone());
                format!("onnx:{}", resolved.file_name().unwrap_or_default().to_string_lossy())
            }
            Self::Memory(memory) => memory.name.to_owned(),
        }
    }

    /// Adds the tokenizer and the model with its external weights (`model.onnx_data` and the like).
    /// The same files have the same digest wherever they are.
    pub(crate) fn add_to(&self, digest: &mut DigestBuilder) -> Result<()> {
        match self {
            Self::Directory(path) => {
                digest.update_file(&self.path(TOKENIZER))?;
                for name in model_files(path)? {
                    digest.update(&name).update_file(&path.join(&name))?;
                }
            }
            Self::Memory(_) => {
                digest.update(self.require(TOKENIZER)?).update(MODEL).update(self.require(MODEL)?);
            }
        }
        Ok(())
    }
}

impl MemoryFiles {
    fn get(self, name: &str) -> Option<&'static [u8]> {
        self.files.iter().find(|(known, _)| *known == name).map(|&(_, bytes)| bytes)
    }
}

/// The names of a directory's files that begin as the model's does, sorted.
fn model_files(path: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::io(COMPONENT, OPERATION, path, e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(MODEL) && path.is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
