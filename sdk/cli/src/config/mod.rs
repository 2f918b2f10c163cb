//! Configurations in TOML.

mod audit;
mod evaluation;
mod run;
mod study;

use std::io;
use std::path::{Path, PathBuf};

use detoxlm::files::parse_toml;
use detoxlm::{Error, ErrorKind, Result, split_calibration};
use serde::de::DeserializeOwned;

pub(crate) use audit::AuditFile;
pub(crate) use evaluation::{EvaluationSection, Surroundings};
pub(crate) use run::RunConfig;
pub(crate) use study::StudyFile;

use crate::session::is_stream;

const COMPONENT: &str = "configuration";

/// Reads a file, or standard input when it is `-`, and gives the folder that its paths are relative to.
///
/// # Errors
/// When it cannot be read, is not TOML, or has an unknown key or a value of the wrong type: file and
/// line are named, and the keys there are.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<(T, PathBuf)> {
    let failed = |e| Error::io(COMPONENT, "read", path, e);
    let text = if is_stream(path) {
        io::read_to_string(io::stdin()).map_err(failed)?
    } else {
        std::fs::read_to_string(path).map_err(failed)?
    };
    // Absolute, so that a run is the same one from wherever it is called.
    let file = std::path::absolute(path).map_err(failed)?;
    let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
    Ok((parse(&text).map_err(|e| e.with_path(path))?, folder))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    parse_toml(text, |message| Error::new(ErrorKind::InvalidConfig, COMPONENT, "read", message))
}

/// `SCHEME:REST` where `REST` may be a path: it is one if there is something; and `@FILE.json` after
/// it, a calibration.
fn resolve_scorer(specification: &mut String, folder: &Path) {
    let (scorer, calibration) = split_calibration(specification);
    let mut scorer = scorer.to_owned();
    let calibration = calibration.map(|file| folder.join(file));
    if let Some((scheme, rest)) = scorer.split_once(':') {
        let path = folder.join(rest);
        if path.exists() {
            scorer = format!("{scheme}:{}", path.display());
        }
    }
    *specification = match calibration {
        Some(file) => format!("{scorer}@{}", file.display()),
        None => scorer,
    };
}

pub(crate) fn missing(key: &'static str, remedy: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, COMPONENT, "read", "is missing")
        .with_key(key)
        .with_remedy(remedy)
}
