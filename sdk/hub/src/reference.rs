//! What a user calls a model: a directory, or a name on the Hub.

use std::fmt;
use std::path::{Path, PathBuf};

use detoxlm_core::{Error, ErrorKind, Result};

use crate::COMPONENT;

/// Says that a name on the Hub is meant where a directory could be.
const PREFIX: &str = "hf:";

/// A model as users name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A directory that exists.
    Directory(PathBuf),
    /// A model on the Hub.
    Hub(ModelName),
}

impl Reference {
    /// What `text` means to somebody who writes it in `folder` (empty for the current directory).
    ///
    /// A directory that exists is itself. Else `owner/name` and `owner/name@revision` are names on
    /// the Hub, unless `folder` has a directory `owner`: `models/gtp2` is then a misspelt path, and
    /// fetching somebody's model of that name would be the worse surprise. `hf:owner/name` is always a
    /// name on the Hub.
    ///
    /// # Errors
    /// When it is neither; the error says how either is written.
    pub fn parse(text: impl AsRef<Path>, folder: &Path) -> Result<Self> {
        let path = text.as_ref();
        let text = path.to_str().unwrap_or_default();
        if let Some(name) = text.strip_prefix(PREFIX) {
            return ModelName::parse(name).map(Self::Hub).ok_or_else(|| {
                not_found("it is not a name on the Hub")
                    .with_key(text.to_owned())
                    .with_remedy("write hf:owner/name or hf:owner/name@revision")
            });
        }
        let place = folder.join(path);
        if place.is_dir() {
            return Ok(Self::Directory(place));
        }
        if place.exists() {
            return Err(not_found("it is a file, not a directory").with_path(place).with_remedy(
                "name the directory with config.json, tokenizer.json and *.safetensors",
            ));
        }
        match ModelName::parse(text) {
            Some(name) if !folder.join(name.owner()).is_dir() => Ok(Self::Hub(name)),
            Some(name) => Err(not_found("no such directory").with_path(place).with_remedy(format!(
                "`{}` is a directory, so a path was assumed: correct it, or write {PREFIX}{name} \
                 for the model of that name on the Hub",
                name.owner()
            ))),
            None => Err(not_found("no such directory").with_path(place).with_remedy(
                "name a directory with config.json, tokenizer.json and *.safetensors, or a model \
                 on the Hub as owner/name",
            )),
        }
    }
}

fn not_found(message: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, COMPONENT, "find the model", message)
}

/// The name of a model on the Hub, `owner/name` or `owner/name@revision`.
///
/// Names without an owner, such as `gpt2`, which the Hub keeps for its oldest models, look like
/// directories and are not taken: write `openai-community/gpt2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    repository: String,
    revision: String,
}

impl ModelName {
    /// What a name without a revision means.
    const MAIN: &str = "main";

    /// Reads a name; `None` if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (repository, revision) = text.split_once('@').unwrap_or((text, Self::MAIN));
        let (owner, name) = repository.split_once('/')?;
        let valid = is_name(owner) && is_name(name) && is_revision(revision);
        valid.then(|| Self { repository: repository.to_owned(), revision: revision.to_owned() })
    }

    /// `owner/name`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// A branch, a tag or a commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The revision, if it is a commit and can never mean anything else.
    pub(crate) fn commit(&self) -> Option<&str> {
        is_commit(&self.revision).then_some(&self.revision)
    }

    pub(crate) fn is_main(&self) -> bool {
        self.revision == Self::MAIN
    }

    fn owner(&self) -> &str {
        self.repository.split('/').next().unwrap_or_default()
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if self.is_main() { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

/// The Hub's rule for owners and names, which is also what keeps them inside their cache folder.
fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: char| matches!(c, '-' | '.');
    (1..=96).contains(&text.len())
        && text.chars().all(legal)
        && !text.starts_with(edge)
        && !text.ends_with(edge)
        && !text.contains("--")
        && !text.contains("..")
}

/// Names of branches and tags that need no quoting in an address or a path.
fn is_revision(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
    let part = |part: &str| !part.is_empty() && !part.starts_with('.');
    text.chars().all(legal) && text.split('/').all(part)
}

/// Whether a revision is a whole commit hash.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_owner_and_perhaps_a_revision() {
        let name = ModelName::parse("openai-community/gpt2").unwrap();
        assert_eq!((name.repository(), name.revision()), ("openai-community/gpt2", "main"));
        assert_eq!(name.to_string(), "openai-community/gpt2");
        let name = ModelName::parse("a_b/C.d-1@refs/pr/3").unwrap();
        assert_eq!((name.repository(), name.revision()), ("a_b/C.d-1", "refs/pr/3"));
        assert_eq!(name.to_string(), "a_b/C.d-1@refs/pr/3");
        assert_eq!(name.commit(), None);
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(ModelName::parse(&format!("a/b@{commit}")).unwrap().commit(), Some(commit));
    }

    #[test]
    fn paths_are_no_names() {
        for text in [
            "gpt2",
            "./gpt2",
            "../gpt2",
            "/models/gpt2",
            "~/gpt2",
            "a/b/c",
            "a/b/",
            "a\\b",
            "a/.b",
            "a--b/c",
            "a/b@",
            "a/b@..",
            "a/b@x/../y",
            "a/b@/x",
            "a/b c",
            "",
        ] {
            assert_eq!(ModelName::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_directory_wins_and_a_misspelt_one_is_not_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::create_dir_all(here.join("models/gpt2")).unwrap();
        std::fs::write(here.join("models/file"), "").unwrap();
        let parse = |text: &str| Reference::parse(text, here);
        assert_eq!(parse("models/gpt2").unwrap(), Reference::Directory(here.join("models/gpt2")));
        assert_eq!(parse("models").unwrap(), Reference::Directory(here.join("models")));
        let misspelt = parse("models/gtp2").unwrap_err();
        assert_eq!(misspelt.kind(), ErrorKind::NotFound);
        assert_eq!(misspelt.path(), Some(here.join("models/gtp2").as_path()));
        assert!(misspelt.to_string().contains("hf:models/gtp2"), "{misspelt}");
        assert!(parse("models/file").unwrap_err().to_string().contains("not a directory"));

        let name = |text: &str| Reference::Hub(ModelName::parse(text).unwrap());
        assert_eq!(parse("hf:models/gpt2").unwrap(), name("models/gpt2"));
        assert_eq!(parse("someone/gpt2@v1").unwrap(), name("someone/gpt2@v1"));
        for neither in ["gpt2", "./someone/gpt2", "/no/such", "runs/1/model"] {
            let error = parse(neither).unwrap_err();
            assert!(error.to_string().contains("owner/name"), "{error}");
        }
        assert!(parse("hf:gpt2").unwrap_err().to_string().contains("hf:owner/name"));
    }
}
