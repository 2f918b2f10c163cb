//! A Hub, a cache and a listener for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use detoxlm_core::{Event, Observer, Result};
use detoxlm_hub::{Hub, HubSettings, Reference, Token};
use tempfile::TempDir;

use crate::server::{Repository, Server};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const MODEL: &str = "some-one/tiny";

/// A committed model.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models").join(name)
}

/// What an observer heard.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    /// All of it, and forgets it.
    pub(crate) fn all(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(match event {
            Event::StageStarted { stage, total, unit, .. } => format!("{stage} {total:?} {unit}"),
            Event::StageAdvanced { count, .. } => count.to_string(),
            Event::StageFinished { .. } => "finished".to_owned(),
            Event::Warning { message } => format!("warning: {message}"),
            other => format!("{other:?}"),
        });
    }
}

/// A Hub with one model, and an empty cache.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) home: TempDir,
    pub(crate) heard: Arc<Heard>,
}

impl Place {
    pub(crate) fn with(repository: &Repository) -> Self {
        let server = Server::start();
        server.publish(MODEL, "main", repository);
        Self { server, home: tempfile::tempdir().unwrap(), heard: Arc::default() }
    }

    pub(crate) fn with_gpt2() -> Self {
        Self::with(&Repository::of(&fixture("gpt2"), COMMIT))
    }

    pub(crate) fn settings(&self) -> HubSettings {
        let settings = HubSettings::new(self.home.path().join("hub"));
        settings.with_endpoint(&self.server.endpoint()).unwrap()
    }

    /// Resolves a name on the Hub.
    pub(crate) async fn resolve_with(&self, settings: HubSettings, name: &str) -> Result<PathBuf> {
        let reference = Reference::parse(name, self.home.path())?;
        let observer = Arc::clone(&self.heard) as Arc<dyn Observer>;
        Hub::new(settings)?.resolve(&reference, observer).await
    }

    pub(crate) async fn resolve(&self, name: &str) -> Result<PathBuf> {
        self.resolve_with(self.settings(), name).await
    }

    pub(crate) async fn offline(&self) -> Result<PathBuf> {
        self.resolve_with(self.settings().with_offline(true), MODEL).await
    }

    pub(crate) async fn with_token(&self, token: &str) -> Result<PathBuf> {
        self.resolve_with(self.settings().with_token(Token::new(token)), MODEL).await
    }

    /// The model's folder in the cache.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("hub/models--some-one--tiny")
    }
}

/// The names in a directory.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|e| name(e).into_string().unwrap()).collect();
    names.sort();
    names
}

/// Checks that a snapshot holds the files of a fixture.
pub(crate) fn assert_same(snapshot: &Path, fixture: &Path, files: &[&str]) {
    assert_eq!(names(snapshot), files);
    for file in files {
        assert!(fs::read(snapshot.join(file)).unwrap() == fs::read(fixture.join(file)).unwrap());
    }
}
