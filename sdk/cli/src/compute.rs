//! Which backend runs and trains local models, and on what: on the command line and in configurations.

use std::path::Path;

use detoxlm::{Compute, Device, Error, Framework, Precision, Registry, Result};
use serde::Deserialize;

/// The backends that this program can be built with; each is the feature of its name.
const BACKENDS: [&str; 2] = ["candle", "tch"];

/// What runs and trains a local model. What is not given is left to the other place where it may be: the
/// command line wins over the configuration's section `[compute]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Compute")]
pub(crate) struct ComputeArguments {
    /// What runs and trains models: candle or tch, as far as compiled in [default: candle]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Where: auto, which is a GPU where the backend finds one, cpu, cuda, cuda:N or metal
    /// [default: auto]
    #[arg(long, value_name = "NAME")]
    device: Option<Device>,
    /// In which numbers: f32, or bf16 where the backend has it [default: f32]
    #[arg(long, value_name = "NAME")]
    precision: Option<Precision>,
}

impl ComputeArguments {
    /// The framework that these arguments and the `section` of a configuration file name.
    ///
    /// # Errors
    /// Those of [`framework`](Self::framework); the file is named where it alone has a say.
    pub(crate) fn framework_of(
        &self,
        section: &Self,
        file: &Path,
        registry: &Registry,
    ) -> Result<Framework> {
        let both = Self {
            backend: self.backend.clone().or_else(|| section.backend.clone()),
            device: self.device.or(section.device),
            precision: self.precision.or(section.precision),
        };
        let is_of_file = *self == Self::default();
        both.framework(registry).map_err(|e| if is_of_file { e.with_path(file) } else { e })
    }

    /// The framework.
    ///
    /// # Errors
    /// When the backend is unknown or not compiled in, the device is not there, or the backend does not
    /// compute so.
    pub(crate) fn framework(&self, registry: &Registry) -> Result<Framework> {
        let compute = Compute::default()
            .with_device(self.device.unwrap_or_default())
            .with_precision(self.precision.unwrap_or_default());
        // The first in the alphabet is the default: candle, or whatever there is.
        let first = registry.frameworks().next().unwrap_or(BACKENDS[0]);
        let name = self.backend.as_deref().unwrap_or(first);
        registry.framework_on(name, compute).map_err(|error| advise(error, name, registry))
    }
}

/// A backend that is not compiled in can be had.
fn advise(error: Error, name: &str, registry: &Registry) -> Error {
    let available: Vec<_> = registry.frameworks().collect();
    if available.contains(&name) {
        return error;
    }
    let missing = BACKENDS.into_iter().filter(|backend| !available.contains(backend));
    let builds: Vec<String> =
        missing.map(|backend| format!("{backend} with `--features {backend}`")).collect();
    let mut remedy = match available.as_slice() {
        [] => "none is compiled in".to_owned(),
        names => format!("available: {}", names.join(", ")),
    };
    if !builds.is_empty() {
        remedy.push_str(&format!("; build {}", builds.join(", ")));
    }
    error.with_remedy(format!("{remedy}; see `detoxlm doctor`"))
}
