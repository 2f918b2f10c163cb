//! Names to implementations: a value that the user owns, not a global.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::benchmark::CeilingsProbe;
use crate::layers::{Calibrated, Calibration};
use crate::{
    Compute, Error, ErrorKind, Filter, Observer, Result, Silent, Subject, ToxicityScorer, Trainer,
};

/// What is loaded with a model, what it may use, and whom it tells. But for the adapter, none of it
/// changes a text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Hears of the tokens that are generated.
    pub observer: Arc<dyn Observer>,
    /// Sequences that are decoded at once; the framework's choice when not given.
    pub rows: Option<usize>,
    /// Threads that compute; the framework's choice when not given.
    pub threads: Option<usize>,
    /// The directory of an adapter to load with the model.
    pub adapter: Option<PathBuf>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { observer: Arc::new(Silent), rows: None, threads: None, adapter: None }
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

    /// Loads the adapter in a directory with the model.
    #[must_use]
    pub fn with_adapter(mut self, directory: impl Into<PathBuf>) -> Self {
        self.adapter = Some(directory.into());
        self
    }
}

/// Opens model directories of a framework.
///
/// # Contract
/// - `load` gives a subject whose generator and likelihood share the weights in memory; dropping it
///   frees them.
/// - `options.observer` hears of the tokens that the subject generates.
/// - `options.adapter` is loaded with the model; a framework that loads none refuses it
///   ([`ErrorKind::Unsupported`]).
/// - A directory that is not a model of this framework is an error that says what is missing.
#[async_trait]
pub trait ModelLoader: Debug + Send + Sync + 'static {
    /// Loads a model directory.
    async fn load(&self, directory: &Path, options: &LoadOptions) -> Result<Subject>;
}

/// Makes a scorer from what follows the scheme in a specification such as `onnx:DIR`; from nothing
/// where the scheme takes no argument.
pub type ScorerFactory = Factory<dyn ToxicityScorer>;

/// Makes a filter from what follows the scheme in a specification such as `wasm:FILE`; from nothing
/// where the scheme takes no argument.
pub type FilterFactory = Factory<dyn Filter>;

type Factory<T> = fn(&str) -> Result<Arc<T>>;

/// Makes a framework that computes as it is told.
///
/// A device that is not there or that it cannot use, or a precision that it does not have, is an error
/// ([`ErrorKind::NotFound`], [`ErrorKind::Unsupported`]) with the key `device` or `precision`, and never
/// replaced by another. Where there is a choice, the trainer's [`Info`](crate::Info), and that of every
/// model it loads, say what it came to.
pub type FrameworkFactory = fn(Compute) -> Result<Framework>;

/// A framework: how it loads models and how it trains them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Framework {
    /// Loads models.
    pub loader: Arc<dyn ModelLoader>,
    /// Trains models.
    pub trainer: Arc<dyn Trainer>,
    /// Measures what bounds it on this machine, where it can.
    pub ceilings: Option<CeilingsProbe>,
}

impl Framework {
    /// A framework whose ceilings nobody measures.
    #[must_use]
    pub fn new(loader: Arc<dyn ModelLoader>, trainer: Arc<dyn Trainer>) -> Self {
        Self { loader, trainer, ceilings: None }
    }

    /// Measures its ceilings so.
    #[must_use]
    pub fn with_ceilings(mut self, probe: CeilingsProbe) -> Self {
        self.ceilings = Some(probe);
        self
    }
}

/// Ways to name scorers, or filters, that factories `F` make.
#[derive(Clone, Debug)]
struct Schemes<F>(BTreeMap<&'static str, Scheme<F>>);

#[derive(Clone, Copy, Debug)]
struct Scheme<F> {
    /// How it is written: `onnx:DIR`, or `profanity-check` where nothing follows.
    usage: &'static str,
    factory: F,
}

impl<F> Default for Schemes<F> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: ?Sized> Schemes<Factory<T>> {
    fn add(&mut self, usage: &'static str, factory: Factory<T>) {
        let scheme = usage.split_once(':').map_or(usage, |(scheme, _)| scheme);
        self.0.insert(scheme, Scheme { usage, factory });
    }

    /// What a specification names.
    fn make(&self, operation: &'static str, specification: &str) -> Result<Arc<T>> {
        let (name, argument) = match specification.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (specification, None),
        };
        let Some(scheme) = self.0.get(name) else {
            let usages = self.0.values().map(|scheme| scheme.usage);
            return Err(unknown(operation, specification, usages));
        };
        let problem = match (scheme.usage.contains(':'), argument) {
            (true, Some(argument)) if !argument.is_empty() => return (scheme.factory)(argument),
            (true, _) => "something is missing after its name",
            (false, None) => return (scheme.factory)(""),
            (false, Some(_)) => "it takes nothing after its name",
        };
        Err(Error::new(ErrorKind::InvalidConfig, "registry", operation, problem)
            .with_key(specification.to_owned())
            .with_remedy(format!("write {}", scheme.usage)))
    }
}

/// The implementations that configurations can name.
///
/// A backend offers `register(&mut Registry)`; the facade's registry has called those of all
/// enabled features.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    scorers: Schemes<ScorerFactory>,
    filters: Schemes<FilterFactory>,
    frameworks: BTreeMap<&'static str, FrameworkFactory>,
}

impl Registry {
    /// Knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scheme of scorers as it is written: `onnx:DIR`, where `DIR` stands for the argument that
    /// the factory gets, or `profanity-check` for one without. A later one of the same scheme wins.
    pub fn add_scorer(&mut self, usage: &'static str, factory: ScorerFactory) -> &mut Self {
        self.scorers.add(usage, factory);
        self
    }

    /// Adds a scheme of filters, written like one of scorers.
    pub fn add_filter(&mut self, usage: &'static str, factory: FilterFactory) -> &mut Self {
        self.filters.add(usage, factory);
        self
    }

    /// Adds a framework; a later one of the same name wins.
    pub fn add_framework(&mut self, name: &'static str, factory: FrameworkFactory) -> &mut Self {
        self.frameworks.insert(name, factory);
        self
    }

    /// The scorer of a specification such as `onnx:models/judge` or `profanity-check`;
    /// `profanity-check@calibration.json` is the same on the scale that its calibration was fitted to
    /// ([`split_calibration`]).
    ///
    /// # Errors
    /// When the scheme is unknown (the error lists those there are), its argument is missing or not
    /// expected, the scorer cannot be made, or the calibration cannot be read or is of another scorer.
    pub fn scorer(&self, specification: &str) -> Result<Arc<dyn ToxicityScorer>> {
        let (bare, calibration) = split_calibration(specification);
        let Some(file) = calibration else {
            return self.scorers.make("choose a scorer", bare);
        };
        let calibration = Calibration::read(file)?;
        let calibrated = Calibrated::new(self.scorer(bare)?, calibration);
        Ok(Arc::new(calibrated.map_err(|e| e.with_path(file))?))
    }

    /// The filter of a specification such as `wasm:word-list.wasm`.
    ///
    /// # Errors
    /// When the scheme is unknown (the error lists those there are), its argument is missing or not
    /// expected, or the filter cannot be made.
    pub fn filter(&self, specification: &str) -> Result<Arc<dyn Filter>> {
        self.filters.make("choose a filter", specification)
    }

    /// The names of the frameworks, in alphabetical order.
    pub fn frameworks(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.frameworks.keys().copied()
    }

    /// The framework of a name, such as `candle`, on the fastest device that it finds, in `f32`.
    ///
    /// # Errors
    /// When the name is unknown (the error lists those there are), or the framework cannot be started.
    pub fn framework(&self, name: &str) -> Result<Framework> {
        self.framework_on(name, Compute::default())
    }

    /// The same, computing as `compute` says.
    ///
    /// # Errors
    /// Those of [`framework`](Self::framework), and when the device is not there or the framework cannot
    /// compute so.
    pub fn framework_on(&self, name: &str, compute: Compute) -> Result<Framework> {
        let factory = self.frameworks.get(name);
        factory.ok_or_else(|| unknown("choose a framework", name, self.frameworks()))?(compute)
    }
}

/// Parts `SCORER@FILE.json` into the scorer and the file of its calibration. What follows an `@` and
/// does not end in `.json` belongs to the scorer: directories may have an `@` in their names.
#[must_use]
pub fn split_calibration(specification: &str) -> (&str, Option<&Path>) {
    match specification.rsplit_once('@') {
        Some((scorer, file)) if file.ends_with(".json") => (scorer, Some(Path::new(file))),
        _ => (specification, None),
    }
}

fn unknown(
    operation: &'static str,
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Error {
    let known: Vec<_> = known.collect();
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

    fn refuse(argument: &str) -> Result<Arc<dyn ToxicityScorer>> {
        Err(Error::new(ErrorKind::Internal, "t", "t", format!("argument {argument:?}")))
    }

    #[test]
    fn an_unknown_name_lists_those_there_are() {
        let mut registry = Registry::new();
        let error = registry.scorer("onyx:dir").unwrap_err();
        assert!(error.to_string().contains("enable a backend's feature"), "{error}");
        registry.add_scorer("onnx:DIR", refuse).add_scorer("words", refuse);
        let error = registry.scorer("onyx:dir").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("available: onnx:DIR, words"), "{error}");
    }

    #[test]
    fn a_framework_is_made_for_what_it_is_to_compute_on() {
        let mut registry = Registry::new();
        registry.add_framework("b", |compute| {
            Err(Error::new(ErrorKind::Unsupported, "t", "t", compute.to_string()))
        });
        registry.add_framework("a", |_| Err(Error::new(ErrorKind::Internal, "t", "t", "a")));
        assert_eq!(registry.frameworks().collect::<Vec<_>>(), ["a", "b"]);
        let error = registry.framework("c").unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, Some("c")));
        assert_eq!(error.remedy(), Some("available: a, b"));
        assert_eq!(registry.framework("b").unwrap_err().message(), "auto in f32");
        let gpu = Compute::default()
            .with_device(crate::Device::Cuda(1))
            .with_precision(crate::Precision::Bf16);
        assert_eq!(registry.framework_on("b", gpu).unwrap_err().message(), "cuda:1 in bf16");
    }

    #[test]
    fn a_scheme_takes_what_its_usage_shows() {
        let mut registry = Registry::new();
        registry.add_scorer("onnx:DIR", refuse).add_scorer("words", refuse);
        let message = |name| registry.scorer(name).unwrap_err().message().to_owned();
        assert_eq!(message("onnx:a:b"), "argument \"a:b\"");
        assert_eq!(message("words"), "argument \"\"");
        for (name, remedy) in [
            ("onnx", "onnx:DIR"),
            ("onnx:", "onnx:DIR"),
            ("words:dir", "words"),
            ("words:", "words"),
        ] {
            let error = registry.scorer(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
            assert_eq!(error.key(), Some(name));
            assert_eq!(error.remedy(), Some(format!("write {remedy}").as_str()));
        }
    }

    #[test]
    fn filters_are_named_like_scorers() {
        let mut registry = Registry::new();
        registry.add_scorer("words", refuse);
        let error = registry.filter("words").unwrap_err();
        assert!(error.to_string().contains("cannot choose a filter"), "{error}");
        registry.add_filter("words:FILE", |file| {
            Ok(Arc::new(crate::filter_fn(file, |_| crate::Decision::Keep)))
        });
        assert_eq!(registry.filter("words:a.txt").unwrap().info().name, "a.txt");
        assert_eq!(registry.filter("words").unwrap_err().remedy(), Some("write words:FILE"));
    }

    #[tokio::test]
    async fn a_calibration_after_an_at_sign_goes_around_its_scorer() {
        let scorer =
            || -> Arc<dyn ToxicityScorer> { Arc::new(crate::testing::CapitalScorer::new()) };
        let mut registry = Registry::new();
        registry.add_scorer("capitals", |_| Ok(Arc::new(crate::testing::CapitalScorer::new())));
        registry.add_scorer("onnx:DIR", refuse);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("scale@2020.json");
        let calibration = |digest| Calibration {
            scorer: digest,
            target: "people".into(),
            maps: BTreeMap::from([(
                crate::Attribute::TOXICITY,
                crate::layers::CalibrationMap::Isotonic { from: vec![0.0], to: vec![0.25] },
            )]),
            evidence: None,
        };
        calibration(scorer().info().digest.clone()).write(&file).unwrap();
        let specification = format!("capitals@{}", file.display());
        // The last `@` counts: a folder's or file's own is part of the path.
        let error = registry.scorer(&specification).unwrap_err();
        assert!(error.path().is_some_and(|path| path.ends_with("2020.json")), "{error}");
        let file = directory.path().join("scale.json");
        calibration(scorer().info().digest.clone()).write(&file).unwrap();
        let specification = format!("capitals@{}", file.display());
        let calibrated = registry.scorer(&specification).unwrap();
        assert!(calibrated.info().name.ends_with(" as people"), "{:?}", calibrated.info());
        let verdicts = calibrated.score(&[crate::Sample::new("AAA")]).await.unwrap();
        assert_eq!(verdicts[0].get(&crate::Attribute::TOXICITY), Some(0.25));
        // A calibration of a calibrated scorer is not one of the bare scorer.
        let error = registry.scorer(&format!("{specification}@{}", file.display())).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Incompatible, Some(file.as_path())));
        let message = |name| registry.scorer(name).unwrap_err().message().to_owned();
        assert_eq!(message("onnx:models@v2"), "argument \"models@v2\"");
        assert_eq!(split_calibration("a@b.json"), ("a", Some(Path::new("b.json"))));
        assert_eq!(split_calibration("onnx:m@2/x"), ("onnx:m@2/x", None));
    }
}
