//! Filters, as users name them.

use std::path::Path;
use std::sync::Arc;

use detoxlm::{Filter, Registry, Result};

/// Who may drop texts beside the scorer.
#[derive(Debug, clap::Args)]
pub(crate) struct FilterArguments {
    /// A plugin that drops texts by a rule of its own: NAME.wasm, or the folder of a plugin.toml; more
    /// than once for several
    #[arg(long = "filter", value_name = "PATH")]
    filters: Vec<String>,
}

impl FilterArguments {
    /// The filters, in the order in which they are named.
    pub(crate) fn load(&self, registry: &Registry) -> Result<Vec<Arc<dyn Filter>>> {
        load(&self.filters, registry)
    }
}

/// The filters of specifications. One without a scheme is a plugin's path.
pub(crate) fn load(specifications: &[String], registry: &Registry) -> Result<Vec<Arc<dyn Filter>>> {
    specifications.iter().map(|one| registry.filter(&with_scheme(one))).collect()
}

/// Takes paths relative to `folder`.
pub(crate) fn resolve(specification: &mut String, folder: &Path) {
    let full = with_scheme(specification);
    if let Some((scheme, path)) = full.split_once(':') {
        *specification = format!("{scheme}:{}", folder.join(path).display());
    }
}

fn with_scheme(specification: &str) -> String {
    let is_path = !specification.contains(':') || Path::new(specification).exists();
    if is_path { format!("wasm:{specification}") } else { specification.to_owned() }
}
