//! Components and manifests of plugins.

use std::fs;
use std::sync::OnceLock;

use detoxlm_core::Sample;
use detoxlm_plugins::{FailurePolicy, HostConfig, Manifest, PluginHost, PluginOptions};

use crate::block_on;

/// A small component, in WAT by origin.
pub(crate) const COMPONENT: &[u8] =
    include_bytes!("../../../plugins/host/tests/components/v0.1.0.wasm");

pub(crate) const MANIFEST: &[u8] = include_bytes!("../../../plugins/samples/word-list/plugin.toml");

/// Loads a component and asks it about texts.
pub fn plugin_component(bytes: &[u8]) {
    static HOST: OnceLock<Option<PluginHost>> = OnceLock::new();
    let start = || PluginHost::new(HostConfig::default().with_threads(1)).ok();
    let Some(host) = HOST.get_or_init(start) else { return };
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("a.wasm");
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let options = PluginOptions::default().with_failure(FailurePolicy::Abstain);
    let Ok(plugin) = host.load(path, options) else { return };
    let samples = ["1", "!", "a longer text"].map(Sample::new);
    block_on(async {
        let _ = plugin.judge(&samples).await;
    });
}

/// Reads a manifest.
pub fn plugin_manifest(bytes: &[u8]) {
    let _ = Manifest::parse(&String::from_utf8_lossy(bytes));
}
