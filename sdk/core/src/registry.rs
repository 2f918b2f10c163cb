//! Names to implementations: a value that the user owns, not a global.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Error, ErrorKind, Observer, Result, Silent, Subject, ToxicityScorer, Trainer};

/// What a loaded model may use, and whom it tells. None of it changes a text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Hears of the tokens that are generated.
    pub observer: Arc<dyn Observer>,
    /// Sequences that are decoded at once; the framework's choice when not given.
    pub rows: Option<usize>,
    /// Threads that compute; the framework's choice when not given.
    pub threads: Option<usize>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { observer: Arc::new(Silent), rows: None, threads: None }
    }
}

impl LoadOptions {
    /// Tells `observer` of generated tokens.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Sets how many sequences are decoded at once.
    #[must_use]
    pub const fn with_rows(mut self, rows: usize) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Sets how many threads compute.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }
}

/// Opens model directories of a framework.
///
/// # Contract
/// - `load` gives a subject whose generator and likelihood share the weights in memory; dropping it
///   frees them.
/// - `options.observer` hears of the tokens that the subject generates.
/// - A directory that is not a model of this framework is an error that says what is missing.
#[async_trait]
pub trait ModelLoader: Debug + Send + Sync + 'static {
    /// Loads a model directory.
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject>;
}

/// Makes a scorer from what follows the scheme in a specification such as `onnx:DIR`.
pub type ScorerFactory = fn(&str) -> Result<Arc<dyn ToxicityScorer>>;

/// A framework: how it loads models and how it trains them.
#[derive(Clone, Debug)]
pub struct Framework {
    /// Loads models.
    pub loader: Arc<dyn ModelLoader>,
    /// Trains models.
    pub trainer: Arc<dyn Trainer>,
}

/// The implementations that configurations can name.
///
/// A backend offers `register(&mut Registry)`; the facade's registry has called those of all
/// enabled features.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    scorers: BTreeMap<&'static str, ScorerFactory>,
    frameworks: BTreeMap<&'static str, Framework>,
}

impl Registry {
    /// Knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scheme of scorers; a later one of the same name wins.
    pub fn add_scorer(&mut self, scheme: &'static str, factory: ScorerFactory) -> &mut Self {
        self.scorers.insert(scheme, factory);
        self
    }

    /// Adds a framework; a later one of the same name wins.
    pub fn add_framework(&mut self, name: &'static str, framework: Framework) -> &mut Self {
        self.frameworks.insert(name, framework);
        self
    }

    /// The scorer of a specification `SCHEME:REST`, such as `onnx:models/judge`.
    ///
    /// # Errors
    /// When the scheme is unknown (the error lists those there are) or the scorer cannot be made.
    pub fn scorer(&self, specification: &str) -> Result<Arc<dyn ToxicityScorer>> {
        let (scheme, rest) = specification.split_once(':').unwrap_or((specification, ""));
        match self.scorers.get(scheme) {
            Some(factory) => factory(rest),
            None => Err(unknown("choose a scorer", specification, self.scorers.keys(), ":DIR")),
        }
    }

    /// The framework of a name, such as `candle`.
    ///
    /// # Errors
    /// When the name is unknown; the error lists those there are.
    pub fn framework(&self, name: &str) -> Result<&Framework> {
        self.frameworks
            .get(name)
            .ok_or_else(|| unknown("choose a framework", name, self.frameworks.keys(), ""))
    }
}

fn unknown<'a>(
    operation: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a &'static str>,
    suffix: &str,
) -> Error {
    let known: Vec<_> = known.map(|name| format!("{name}{suffix}")).collect();
    let remedy = if known.is_empty() {
        "none is compiled in: enable a backend's feature".to_owned()
    } else {
        format!("available: {}", known.join(", "))
    };
    Error::new(ErrorKind::NotFound, "registry", operation, "no such name")
        .with_key(name.to_owned())
        .with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_those_there_are() {
        let mut registry = Registry::new();
        let error = registry.scorer("onyx:dir").unwrap_err();
        assert!(error.to_string().contains("enable a backend's feature"), "{error}");
        registry.add_scorer("onnx", |_| Err(Error::new(ErrorKind::Internal, "t", "t", "t")));
        let error = registry.scorer("onyx:dir").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("available: onnx:DIR"), "{error}");
    }
}
