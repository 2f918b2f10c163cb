//! How a program uses a plugin, where it differs from what the manifest says.

use detoxlm_core::Attribute;
use serde_json::{Map, Value};

use crate::limits::Limits;
use crate::manifest::{FailurePolicy, Manifest};

/// What a program says about a plugin's use; what it does not say is as in the manifest.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PluginOptions {
    /// What it is configured with, instead of the manifest's settings.
    pub settings: Option<Map<String, Value>>,
    /// What becomes of a text that it cannot judge.
    pub failure: Option<FailurePolicy>,
    /// What it may use.
    pub limits: Option<Limits>,
    /// As a filter it drops texts that have one of these attributes at this value or above; added to
    /// the manifest's.
    pub drop: Vec<(Attribute, f32)>,
    /// Refuses a component that imports anything, instead of letting what it imports trap.
    pub deny_imports: bool,
}

impl PluginOptions {
    /// Configures it with a JSON object.
    #[must_use]
    pub fn with_settings(mut self, settings: Map<String, Value>) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Sets what becomes of a text that it cannot judge.
    #[must_use]
    pub const fn with_failure(mut self, failure: FailurePolicy) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Sets what it may use.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Drops texts that have this attribute at this value or above.
    #[must_use]
    pub fn with_drop(mut self, attribute: Attribute, at_least: f32) -> Self {
        self.drop.push((attribute, at_least));
        self
    }

    /// Refuses a component that imports anything.
    #[must_use]
    pub const fn with_deny_imports(mut self, deny: bool) -> Self {
        self.deny_imports = deny;
        self
    }

    /// Puts what is said here over what the manifest says.
    pub(crate) fn apply_to(self, manifest: &mut Manifest) {
        if let Some(settings) = self.settings {
            manifest.settings = settings;
        }
        manifest.failure = self.failure.unwrap_or(manifest.failure);
        if let Some(limits) = self.limits {
            manifest.limits = limits;
        }
        manifest.drop.extend(self.drop);
    }
}
