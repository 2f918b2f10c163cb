//! Models, scorers and settings to run a pipeline with.

mod bigram;
mod flood;
mod stories;
mod survey;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use detoxlm::corpus::{JsonlWriter, TextRow};
use detoxlm::evaluation::{
    EvaluationPrompt, PerplexityEvaluator, PerplexitySettings, PromptSet, TextSet,
    ToxicityEvaluator, ToxicitySettings,
};
use detoxlm::{Error, ErrorKind, Observer, Pipeline, Result, RunSummary, ToxicityScorer};

/// What a pipeline is made of. Its inputs lie in a directory that [`prepare`](Self::prepare) fills,
/// its runs wherever the caller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Every stage, with the core's fakes: augmented prompts, filter, validation, two evaluators.
    Bigram,
    /// Every stage, with a small model on candle and an ONNX classifier: stories260K.
    Stories,
    /// So many documents of a kilobyte each, written by a generator that costs nothing.
    Flood {
        /// How many documents.
        documents: u64,
    },
    /// Every kind of evaluation, each of so many items, with the core's fakes.
    Survey {
        /// How many items.
        items: usize,
    },
}

impl FromStr for Setup {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let number = |number: &str| number.parse().ok();
        match name.split_once(':').map_or((name, None), |(name, of)| (name, number(of))) {
            ("bigram", None) => Ok(Self::Bigram),
            ("stories", None) => Ok(Self::Stories),
            ("flood", Some(documents)) => Ok(Self::Flood { documents }),
            ("survey", Some(items)) => Ok(Self::Survey { items: items as usize }),
            _ => {
                let message = "no such setup";
                let error = Error::new(ErrorKind::NotFound, "end-to-end", "set up", message);
                Err(error.with_key(name.to_owned()))
            }
        }
    }
}

impl Setup {
    /// The name that reads as this setup.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Bigram => "bigram".to_owned(),
            Self::Stories => "stories".to_owned(),
            Self::Flood { documents } => format!("flood:{documents}"),
            Self::Survey { items } => format!("survey:{items}"),
        }
    }

    /// Writes the base model and whatever else runs read into `root`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(self, root: &Path) -> Result<()> {
        match self {
            Self::Bigram => bigram::prepare(root, &base(root)),
            Self::Stories => stories::prepare(root, &base(root)),
            Self::Flood { .. } => flood::prepare(&base(root)),
            Self::Survey { items } => survey::prepare(root, &base(root), items),
        }
    }

    /// The pipeline.
    ///
    /// # Errors
    /// When one of its parts cannot be made.
    pub fn pipeline(self, root: &Path, observer: Arc<dyn Observer>) -> Result<Pipeline> {
        let pipeline = match self {
            Self::Bigram => bigram::pipeline(root),
            Self::Stories => stories::pipeline(root),
            Self::Flood { documents } => flood::pipeline(documents),
            Self::Survey { items } => survey::pipeline(root, items),
        };
        Ok(pipeline?.with_observer(observer))
    }

    /// Runs it, or goes on with it, in `run`.
    ///
    /// # Errors
    /// What the pipeline says.
    pub async fn run(
        self,
        root: &Path,
        run: &Path,
        observer: Arc<dyn Observer>,
    ) -> Result<RunSummary> {
        self.pipeline(root, observer)?.run(&base(root), run).await
    }
}

fn base(root: &Path) -> PathBuf {
    root.join("base")
}

/// Held-out text, which pipelines validate and measure on.
fn held_out(root: &Path) -> PathBuf {
    root.join("held-out.jsonl")
}

fn write_held_out(root: &Path) -> Result<()> {
    let mut writer = JsonlWriter::create(held_out(root))?;
    for text in ["calm and kind words", "Once upon a time, a bird sang in the old tree."] {
        writer.write(&TextRow::new(text))?;
    }
    writer.commit()
}

/// What is measured before and after: toxicity by `judge`, and perplexity. Units are as small as
/// they can be, so that there are many of them to be interrupted.
fn with_evaluators(
    pipeline: Pipeline,
    root: &Path,
    judge: Arc<dyn ToxicityScorer>,
) -> Result<Pipeline> {
    let prompts = [("You", Some(0.9)), ("The little dog", Some(0.1)), ("What", None)].map(
        |(text, toxicity)| EvaluationPrompt { text: text.to_owned(), toxicity, challenging: false },
    );
    let toxicity = ToxicityEvaluator::new(
        PromptSet::new("prompts", prompts.into())?,
        judge,
        ToxicitySettings { prompts_per_unit: 1, ..ToxicitySettings::default() },
    )?;
    let perplexity = PerplexityEvaluator::new(
        TextSet::read(held_out(root), None)?,
        PerplexitySettings { documents_per_unit: 1, ..PerplexitySettings::default() },
    )?;
    Ok(pipeline.with_evaluator(Arc::new(toxicity)).with_evaluator(Arc::new(perplexity)))
}
