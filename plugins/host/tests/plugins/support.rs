//! Loading and asking.

use std::path::{Path, PathBuf};

use detoxlm_core::{Result, Sample};
use detoxlm_plugins::{FailurePolicy, HostConfig, Judgement, Plugin, PluginHost, PluginOptions};
use tempfile::TempDir;

use crate::guest::Guest;

/// A folder that plugins are written to, and a host of two threads.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) host: PluginHost,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(HostConfig::default().with_threads(2))
    }

    pub(crate) fn with(config: HostConfig) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), host: PluginHost::new(config).unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn try_load(&self, guest: &Guest, options: PluginOptions) -> Result<Plugin> {
        self.host.load(self.write("guest.wasm", guest.component()), options)
    }

    /// With the policy `abstain`.
    pub(crate) fn load(&self, guest: &Guest) -> Plugin {
        self.try_load(guest, abstain()).unwrap()
    }
}

pub(crate) fn abstain() -> PluginOptions {
    PluginOptions::default().with_failure(FailurePolicy::Abstain)
}

pub(crate) fn samples(texts: &[&str]) -> Vec<Sample> {
    texts.iter().copied().map(Sample::new).collect()
}

/// What a plugin says of texts, in words.
pub(crate) async fn judge(plugin: &Plugin, texts: &[&str]) -> Result<Vec<String>> {
    Ok(plugin.judge(&samples(texts)).await?.iter().map(describe).collect())
}

pub(crate) fn describe(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Scored(scores) => {
            let values: Vec<_> = scores.iter().map(|(_, value)| value.to_string()).collect();
            values.join(" ")
        }
        Judgement::Rejected(why) => format!("rejected: {why}"),
        Judgement::Abstained(why) => format!("abstained: {why}"),
        Judgement::Failed(why) => format!("failed: {why}"),
        other => format!("{other:?}").to_lowercase(),
    }
}
