use std::path::Path;

use async_trait::async_trait;
use detoxlm_core::{Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Verdict};

use crate::OnnxOptions;
use crate::calls::{CONCURRENT_CALLS, Calls};
use crate::classifier::Classifier;
use crate::engine::Engine;
use crate::files::{Files, MemoryFiles, OPTIONS};
use crate::source::ClassifierSource;

/// A sequence classifier in ONNX as a toxicity scorer.
///
/// It scores [`Sample::text`] alone; the prompt is not read.
///
/// Texts of one call are grouped by length, so a text's neighbours decide how it is padded and with
/// how many rows it is multiplied: its scores may differ by float rounding, below 1e-5, from one call
/// to another. The same call gives the same bits.
#[derive(Debug)]
pub struct OnnxScorer {
    info: Info,
    capabilities: ScorerCapabilities,
    calls: Calls,
}

impl OnnxScorer {
    /// Opens a directory with `model.onnx`, `tokenizer.json`, `config.json` and perhaps
    /// `scorer.json`, which holds [`OnnxOptions`].
    ///
    /// # Errors
    /// When a file is missing or malformed, the labels are no known attributes, the parts are not of
    /// one model, or there is no engine that runs the graph.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::with_its_options(&ClassifierSource::open_directory(directory.as_ref())?)
    }

    /// The same with these options; `scorer.json` is not read.
    ///
    /// # Errors
    /// As [`OnnxScorer::open`], and when an option has an impossible value.
    pub fn open_with(directory: impl AsRef<Path>, options: &OnnxOptions) -> Result<Self> {
        Self::from_source(&ClassifierSource::open_directory(directory.as_ref())?, options)
    }

    /// The same as [`OnnxScorer::open`] for files that are in memory; a `scorer.json` among them is
    /// read.
    ///
    /// # Errors
    /// As [`OnnxScorer::open`].
    pub fn open_memory(files: MemoryFiles) -> Result<Self> {
        Self::with_its_options(&ClassifierSource::open(Files::in_memory(files)?)?)
    }

    /// The classifier that this crate carries, with the options that belong to it: seven attributes
    /// on the scale of Perspective's scores of 2020, for English.
    ///
    /// Its model card, `embedded/README.md`, says what it was trained on, how far it agrees with
    /// Perspective and with people, and what it does not see.
    ///
    /// # Errors
    /// When this build has no engine, or the engine that the environment names cannot be loaded.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Result<Self> {
        Self::with_its_options(&crate::embedded::source()?)
    }

    /// The same with these options in place of its own; `scorer.json` is not read.
    ///
    /// # Errors
    /// As [`OnnxScorer::embedded`], and when an option has an impossible value.
    #[cfg(feature = "embedded")]
    pub fn embedded_with(options: &OnnxOptions) -> Result<Self> {
        Self::from_source(&crate::embedded::source()?, options)
    }

    fn with_its_options(source: &ClassifierSource) -> Result<Self> {
        let options = match source.files.read(OPTIONS)? {
            Some(text) => OnnxOptions::parse(&text, &source.files.path(OPTIONS))?,
            None => OnnxOptions::default(),
        };
        Self::from_source(source, &options)
    }

    fn from_source(source: &ClassifierSource, options: &OnnxOptions) -> Result<Self> {
        options.validate()?;
        let engine = Engine::of_process()?;
        let classifier = Classifier::open(source, &engine, options)?;
        let digest = classifier.digest(source, &engine)?;
        let info = Info::new(source.files.scorer_name(), source.version(), digest);
        let capabilities = ScorerCapabilities::new(classifier.attributes().cloned())
            .with_concurrency(CONCURRENT_CALLS);
        let calls = Calls::start(classifier, options.thread_count())?;
        Ok(Self { info, capabilities, calls })
    }
}

#[async_trait]
impl ToxicityScorer for OnnxScorer {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        self.calls.score(samples.iter().map(|sample| sample.text.clone()).collect()).await
    }
}
