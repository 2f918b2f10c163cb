//! `plugin.toml`: what an author says of a plugin, and a user of how to use it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use detoxlm_core::files::parse_toml;
use detoxlm_core::{Attribute, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::COMPONENT;
use crate::limits::Limits;

/// The name of a manifest.
pub(crate) const FILE: &str = "plugin.toml";

const OPERATION: &str = "read a manifest";

/// What becomes of a text that the plugin cannot judge: over a limit, trapped, a wrong answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailurePolicy {
    /// The call ends with an error, and so does what was running.
    #[default]
    Fail,
    /// A scorer has no verdict of it, a filter drops it; both say why.
    Abstain,
}

/// What `plugin.toml` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// The component, beside the manifest or relative to it.
    pub component: PathBuf,
    /// Its SHA-256; checked where it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The licence of the plugin, data included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The languages that it can judge; none stands for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// What its rules or weights come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What it is known to get wrong, and about whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub biases: Vec<String>,
    /// What becomes of a text that it cannot judge.
    #[serde(default)]
    pub failure: FailurePolicy,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// What it is configured with.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// As a filter it drops texts that have one of these attributes at this value or above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drop: BTreeMap<Attribute, f32>,
}

impl Manifest {
    /// Of a component about which nothing is said.
    #[must_use]
    pub fn of(component: impl Into<PathBuf>) -> Self {
        Self {
            component: component.into(),
            sha256: None,
            licence: None,
            languages: Vec::new(),
            data: None,
            biases: Vec::new(),
            failure: FailurePolicy::default(),
            limits: Limits::default(),
            settings: Map::new(),
            drop: BTreeMap::new(),
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or has an unknown key or a value of the wrong kind: file,
    /// line and key are named.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|e| Error::io(COMPONENT, OPERATION, path, e))?;
        Self::parse(&text).map_err(|e| e.with_path(path))
    }

    /// The manifest in a text.
    ///
    /// # Errors
    /// Those of [`read`](Self::read) but for the file.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = parse_toml(text, |message| {
            Error::new(ErrorKind::InvalidConfig, COMPONENT, OPERATION, message)
        })?;
        match manifest.with_control_characters() {
            None => Ok(manifest),
            Some(key) => {
                let message = "it has a control character, which a terminal would obey";
                let error = Error::new(ErrorKind::InvalidConfig, COMPONENT, OPERATION, message);
                Err(error.with_key(key).with_remedy("write it without"))
            }
        }
    }

    /// Whether a component in its own folder is the one that it names.
    pub(crate) fn is_about(&self, component: &Path) -> bool {
        component.file_name().is_some_and(|name| self.component == Path::new(name))
    }

    /// The key of a text for people that has one.
    fn with_control_characters(&self) -> Option<&'static str> {
        let Self { licence, languages, data, biases, .. } = self;
        let has = |text: &String| text.chars().any(char::is_control);
        let texts = [
            ("licence", licence.iter().any(has)),
            ("languages", languages.iter().any(has)),
            ("data", data.iter().any(has)),
            ("biases", biases.iter().any(has)),
        ];
        texts.into_iter().find_map(|(key, has)| has.then_some(key))
    }
}

/// What a path names: a component and what is said of it.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) component: PathBuf,
    pub(crate) manifest: Manifest,
    /// Where it says so; `None` where nothing is said.
    pub(crate) said_in: Option<PathBuf>,
}

/// Finds the component and the manifest of a path: a component, with the manifest beside it if that is
/// about it; a manifest; or a folder with one.
pub(crate) fn find(path: &Path) -> Result<Named> {
    if path.is_dir() {
        return from_manifest(&path.join(FILE));
    }
    if path.extension().is_some_and(|extension| extension == "toml") {
        return from_manifest(path);
    }
    let beside = path.with_file_name(FILE);
    if beside.is_file() {
        let manifest = Manifest::read(&beside)?;
        if manifest.is_about(path) {
            return Ok(Named { component: path.into(), manifest, said_in: Some(beside) });
        }
    }
    Ok(Named { component: path.into(), manifest: Manifest::of(path), said_in: None })
}

fn from_manifest(path: &Path) -> Result<Named> {
    let manifest = Manifest::read(path)?;
    let component = path.parent().unwrap_or(Path::new("")).join(&manifest.component);
    Ok(Named { component, manifest, said_in: Some(path.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_default() {
        let manifest = Manifest::parse("component = 'a.wasm'").unwrap();
        assert_eq!(manifest, Manifest::of("a.wasm"));
        let text = "component = 'a.wasm'\nfailure = 'abstain'\n[limits]\nmemory_mib = 5\n\
                    [settings]\nwords = ['x']\n[drop]\ntoxicity = 0.5\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.failure, FailurePolicy::Abstain);
        assert_eq!(manifest.limits, Limits { memory_mib: 5, ..Limits::default() });
        assert_eq!(manifest.settings["words"][0], "x");
        assert_eq!(manifest.drop[&Attribute::TOXICITY], 0.5);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, word) in [
            ("", None, "component"),
            ("component = 'a'\nlicense = 'MIT'\n", Some(2), "licence"),
            ("component = 'a'\nfailure = 'ignore'\n", Some(2), "abstain"),
            ("component = 'a'\n[limits]\nmemory = 3\n", Some(3), "memory_mib"),
            ("component = 'a'\n[limits]\nfuel_per_text = -1\n", Some(3), "u64"),
            ("component = 'a'\n[drop]\n'a b' = 1.0\n", Some(3), "letters"),
            ("component =\n", Some(1), ""),
            ("component = 'a'\nbiases = [\"\\u001b[2J\"]\n", None, "biases"),
        ] {
            let error = Manifest::parse(text).unwrap_err();
            assert!(error.to_string().contains(word), "{text}: {error}");
            if let Some(line) = line {
                assert_eq!(error.line_number(), Some(line), "{text}: {error}");
            }
        }
    }
}
