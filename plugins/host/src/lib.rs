//! Scoring filters that others write, in WebAssembly: loaded, limited, asked.
//!
//! A plugin is a component of the world `scoring-filter` (`plugins/wit/filter.wit`), in any language
//! that compiles to one. [`PluginHost`] loads it; [`Plugin::scorer`] and [`Plugin::filter`] make of it
//! a [`ToxicityScorer`](detoxlm_core::ToxicityScorer) and a [`Filter`](detoxlm_core::Filter) like any
//! other, with a digest that caches, run directories and reports know it by.
//!
//! ```no_run
//! # async fn example() -> detoxlm_core::Result<()> {
//! use detoxlm_core::{Filter, Sample};
//! use detoxlm_plugins::{HostConfig, PluginHost, PluginOptions};
//!
//! let host = PluginHost::new(HostConfig::default())?;
//! let plugin = host.load("plugins/word-list.wasm", PluginOptions::default())?;
//! let decisions = plugin.filter()?.decide(&[Sample::new("a text")]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a plugin can do
//! Compute, and nothing else: there are no files, network, clock, environment or randomness to ask
//! for. What a component imports all the same is linked as a trap, or refused
//! ([`PluginOptions::deny_imports`]).
//!
//! # What decides whether a text is judged
//! A text is judged if the plugin judges it *alone*, in a fresh instance, within its [`Limits`]: so
//! many units of fuel for the text and for each of its bytes, so much memory. Fuel counts
//! instructions, so the answer is the same on every machine and under any load. Texts go to the plugin
//! in batches, but a batch only ever saves time: one that fails is split until the text is found, and
//! one that succeeds has used no more fuel than its shortest text had alone.
//!
//! A text that cannot be judged ends the call with an error, or has no verdict and a reason
//! ([`FailurePolicy`]). It is never given a value. A call that takes too long by the clock
//! ([`HostConfig::deadline`]) is always an error: how long a call takes depends on the machine, and
//! what is kept must not.

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod check;
pub mod pack;
pub mod testing;

mod bindings;
mod component;
mod descriptor;
mod engine;
mod fault;
mod filter;
mod host;
mod instance;
mod judge;
mod limits;
mod manifest;
mod options;
mod plugin;
mod scorer;
mod sha256;

pub use descriptor::Descriptor;
pub use filter::PluginFilter;
pub use host::{HostConfig, PluginHost};
pub use judge::Judgement;
pub use limits::Limits;
pub use manifest::{FailurePolicy, Manifest};
pub use options::PluginOptions;
pub use plugin::Plugin;
pub use scorer::PluginScorer;

use std::sync::Arc;

use detoxlm_core::{Registry, Result};

const COMPONENT: &str = "plugins";

/// Adds the scheme `wasm` for scorers and for filters: `wasm:PATH` loads a component, a `plugin.toml` or
/// a folder with one on the [shared](PluginHost::shared) host.
pub fn register(registry: &mut Registry) {
    registry.add_scorer("wasm:PATH", |path| Ok(Arc::new(load(path)?.scorer()?)));
    registry.add_filter("wasm:PATH", |path| Ok(Arc::new(load(path)?.filter()?)));
}

fn load(path: &str) -> Result<Plugin> {
    PluginHost::shared()?.load(path, PluginOptions::default())
}
