use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::corpus::{Document, JsonlWriter, PromptRow, read_texts};
use crate::evaluation::{Changes, EvaluationContext};
use crate::files::{read_json, write_atomically, write_json};
use crate::pipeline::annotate::Annotation;
use crate::pipeline::card::card;
use crate::pipeline::report::report;
use crate::pipeline::{PipelineConfig, Stage};
use crate::prompts::{PromptStrategy, Prompts, augmented_prompts};
use crate::run::{CorpusDirectory, RunDirectory};
use crate::selection::{Candidates, SelectionSummary, select};
use crate::training::{Trainer, TrainingJob, TrainingOutcome};
use crate::worker::blocking;
use crate::{
    Digest, Evaluation, Evaluator, Event, Filter, Framework, Info, LoadOptions, ModelDirectory,
    ModelLoader, Observer, Result, Silent, Subject, ToxicityScorer,
};

const KEPT: &str = "kept.jsonl";
const DROPPED: &str = "dropped.jsonl";
const SUMMARY: &str = "summary.json";
const METRICS: &str = "metrics.json";
const CHANGES: &str = "changes.json";
/// What tells a model's story on the Hub.
const CARD: &str = "README.md";
/// The model that the run began with.
const BASE: &str = "base";
/// The model that it made.
const DETOXIFIED: &str = "detoxified";

/// SGEAT, from a model directory to a less toxic one and the figures that say so.
///
/// Every stage keeps what it has done in the run directory; running the same pipeline on the same
/// directory again goes on from there.
#[derive(Clone, Debug)]
pub struct Pipeline {
    config: PipelineConfig,
    loader: Arc<dyn ModelLoader>,
    trainer: Arc<dyn Trainer>,
    scorer: Arc<dyn ToxicityScorer>,
    filters: Vec<Arc<dyn Filter>>,
    evaluators: Vec<Arc<dyn Evaluator>>,
    observer: Arc<dyn Observer>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// What was kept of the corpus.
    pub selection: SelectionSummary,
    /// The training.
    pub training: TrainingOutcome,
    /// Every evaluator's figures, of the base model and of the detoxified one.
    pub evaluations: Vec<Evaluation>,
    /// How they differ, for every evaluator.
    pub changes: Vec<Changes>,
}

/// Everything that a run's files depend on.
#[derive(Serialize)]
struct Manifest<'a> {
    detoxlm: &'static str,
    model: Digest,
    scorer: &'a Info,
    filters: Vec<&'a Info>,
    trainer: &'a Info,
    evaluators: Vec<&'a Info>,
    config: PipelineConfig,
    validation: Vec<Digest>,
    prompts: Option<Digest>,
}

impl Pipeline {
    /// A pipeline without filters and without evaluation.
    #[must_use]
    pub fn new(
        config: PipelineConfig,
        framework: &Framework,
        scorer: Arc<dyn ToxicityScorer>,
    ) -> Self {
        Self {
            config,
            loader: Arc::clone(&framework.loader),
            trainer: Arc::clone(&framework.trainer),
            scorer,
            filters: Vec::new(),
            evaluators: Vec::new(),
            observer: Arc::new(Silent),
        }
    }

    /// Adds a filter: what it drops is not trained on.
    #[must_use]
    pub fn with_filter(mut self, filter: Arc<dyn Filter>) -> Self {
        self.filters.push(filter);
        self
    }

    /// Adds a measurement, taken of the base model and of the detoxified one.
    #[must_use]
    pub fn with_evaluator(mut self, evaluator: Arc<dyn Evaluator>) -> Self {
        self.evaluators.push(evaluator);
        self
    }

    /// Tells `observer` about progress.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Runs, or goes on with, the pipeline on the model in `model`, in the directory `run`.
    ///
    /// # Errors
    /// When the configuration is impossible, the run is of other settings or held by another
    /// process, or a stage fails. Nothing that was done is lost: the same call goes on.
    pub async fn run(&self, model: &Path, run: &Path) -> Result<RunSummary> {
        self.config.validate()?;
        self.trainer.capabilities().require(&self.config.method, self.trainer.info())?;
        let run = self.open(model, run).await?;
        if !run.selection().join(SUMMARY).is_file() {
            let base = self.load(BASE, model, None).await?;
            self.write_corpus(&run, &base).await?;
        }
        let selection = self.select(&run).await?;
        let training = self.train(model, &run).await?;
        let (evaluations, changes) = self.evaluate(model, &run).await?;
        let note = self.judge_is_filter(&evaluations);
        let summary = RunSummary { selection, training, evaluations, changes };
        let report = report(&self.config, self.scorer.info(), &summary, note);
        let card =
            card(&ModelDirectory::plain_name_of(model), &self.config, self.scorer.info(), &summary);
        blocking(move || {
            write_atomically(run.model().join(CARD), card)?;
            write_atomically(run.report(), report)
        })
        .await?;
        Ok(summary)
    }

    async fn open(&self, model: &Path, run: &Path) -> Result<RunDirectory> {
        // Files are named by what is in them: a run may move, and its data with it.
        let mut config = self.config.clone();
        let validation = std::mem::take(&mut config.validation);
        let prompts = match &mut config.prompts {
            PromptStrategy::Heuristic { file, .. } => file.take(),
            _ => None,
        };
        let (model, strategy) = (model.to_path_buf(), self.config.prompts.clone());
        let (model, validation, prompts) = blocking(move || {
            // Before the run is begun: a file that has to be mended changes its digest, and with it
            // the run.
            strategy.fixed_prompts()?;
            for file in &validation {
                read_texts(file)?.try_for_each(|text| text.map(drop))?;
            }
            let validation: Result<Vec<_>> = validation.iter().map(Digest::of_file).collect();
            let prompts = prompts.map(Digest::of_file).transpose()?;
            Ok((ModelDirectory::digest_at(&model)?, validation?, prompts))
        })
        .await?;
        let manifest = Manifest {
            detoxlm: env!("CARGO_PKG_VERSION"),
            model,
            scorer: self.scorer.info(),
            filters: self.filters.iter().map(|filter| filter.info()).collect(),
            trainer: self.trainer.info(),
            evaluators: self.evaluators.iter().map(|evaluator| evaluator.info()).collect(),
            config,
            validation,
            prompts,
        };
        RunDirectory::open(run, &manifest)
    }

    async fn load(
        &self,
        name: &str,
        directory: &Path,
        adapter: Option<PathBuf>,
    ) -> Result<Subject> {
        let mut options = LoadOptions::default().with_observer(Arc::clone(&self.observer));
        options.adapter = adapter;
        let mut subject = self.loader.load(directory, &options).await?;
        name.clone_into(&mut subject.name);
        Ok(subject)
    }

    /// Self-generation and annotation of the corpus, and before it of the pool for augmented prompts.
    async fn write_corpus(&self, run: &RunDirectory, base: &Subject) -> Result<()> {
        let prompts = match &self.config.prompts {
            PromptStrategy::Augmented { documents, keep_fraction } => {
                self.augment(run, base, *documents, *keep_fraction).await?
            }
            other => other.fixed_prompts()?.unwrap_or_else(Prompts::unconditional),
        };
        let documents = self.config.generation.documents;
        self.annotation(run.corpus(), documents, base, Stage::Generate).run(&prompts).await
    }

    fn annotation<'a>(
        &'a self,
        corpus: CorpusDirectory,
        documents: u64,
        base: &'a Subject,
        stage: Stage,
    ) -> Annotation<'a> {
        Annotation {
            corpus,
            documents,
            config: &self.config.generation,
            seed: self.config.seed,
            generator: &*base.generator,
            scorer: &*self.scorer,
            filters: &self.filters,
            observer: &*self.observer,
            stage,
        }
    }

    /// The augmented prompts: the model writes a pool of documents unconditionally, and the first
    /// halves of the least toxic ones become prompts.
    async fn augment(
        &self,
        run: &RunDirectory,
        base: &Subject,
        documents: u64,
        keep_fraction: f64,
    ) -> Result<Prompts> {
        let path = run.prompts();
        if !path.is_file() {
            let pool = run.prompt_pool();
            let unconditional = Prompts::unconditional();
            self.annotation(pool.clone(), documents, base, Stage::Prompts)
                .run(&unconditional)
                .await?;
            let selection = self.config.selection.clone().with_keep_fraction(keep_fraction);
            let candidates = self.candidates(&pool, documents);
            let path = path.clone();
            blocking(move || {
                let prompts = augmented_prompts(candidates, &selection)?;
                let mut writer = JsonlWriter::create(&path)?;
                for prompt in prompts.as_slice() {
                    writer.write(&PromptRow::new(prompt))?;
                }
                writer.commit()
            })
            .await?;
        }
        blocking(move || Prompts::read(&path)).await
    }

    /// Begins passes over an annotated corpus.
    fn candidates(
        &self,
        corpus: &CorpusDirectory,
        documents: u64,
    ) -> impl FnMut() -> Result<Candidates<'static>> + Send + 'static {
        let units = documents.div_ceil(self.config.generation.unit);
        let parts = corpus.documents();
        let verdicts = corpus.verdicts(self.scorer.info());
        let decisions: Vec<_> = self
            .filters
            .iter()
            .map(|filter| (filter.info().name.clone(), corpus.decisions(filter.info())))
            .collect();
        move || {
            let rows = Candidates::new(parts.rows::<Document>(units), verdicts.rows(units));
            Ok(decisions.iter().fold(rows, |rows, (name, decisions)| {
                rows.with_filter(name.clone(), decisions.rows(units))
            }))
        }
    }

    /// Selects from the annotated corpus, unless that is done. The summary is written last.
    async fn select(&self, run: &RunDirectory) -> Result<SelectionSummary> {
        let documents = self.config.generation.documents;
        self.observer.observe(&Event::StageStarted {
            stage: Stage::Select,
            total: Some(documents),
            done: 0,
            unit: "documents",
        });
        let candidates = self.candidates(&run.corpus(), documents);
        let (selection, target) = (self.config.selection.clone(), run.selection());
        let summary = blocking(move || {
            let summary_path = target.join(SUMMARY);
            if summary_path.is_file() {
                return read_json(summary_path);
            }
            let mut kept = JsonlWriter::create(target.join(KEPT))?;
            let mut dropped = JsonlWriter::create(target.join(DROPPED))?;
            let summary = select(candidates, &selection, &mut kept, &mut dropped)?;
            kept.commit()?;
            dropped.commit()?;
            write_json(summary_path, &summary)?;
            Ok(summary)
        })
        .await?;
        self.observer.observe(&Event::StageAdvanced { stage: Stage::Select, count: documents });
        self.observer.observe(&Event::StageFinished { stage: Stage::Select });
        Ok(summary)
    }

    async fn train(&self, model: &Path, run: &RunDirectory) -> Result<TrainingOutcome> {
        let job = TrainingJob {
            base: model.to_path_buf(),
            corpus: vec![run.selection().join(KEPT)],
            validation: self.config.validation.clone(),
            method: self.config.method.clone(),
            config: self.config.training.clone(),
            seed: self.config.seed,
            work: run.training(),
            output: run.model(),
        };
        self.trainer.train(&job, Arc::clone(&self.observer)).await
    }

    async fn evaluate(
        &self,
        model: &Path,
        run: &RunDirectory,
    ) -> Result<(Vec<Evaluation>, Vec<Changes>)> {
        let [metrics, changed] = [METRICS, CHANGES].map(|name| run.evaluation().join(name));
        if changed.is_file() {
            let (evaluations, changes): (Vec<Evaluation>, _) =
                blocking(move || Ok((read_json(metrics)?, read_json(changed)?))).await?;
            self.warn_of_the_judge(&evaluations);
            return Ok((evaluations, changes));
        }
        let mut evaluations = Vec::new();
        let base = model.to_path_buf();
        let made = if self.config.method.makes_adapter() {
            (DETOXIFIED, base.clone(), Some(run.model()))
        } else {
            (DETOXIFIED, run.model(), None)
        };
        let subjects =
            if self.evaluators.is_empty() { vec![] } else { vec![(BASE, base, None), made] };
        for (name, directory, adapter) in subjects {
            let subject = self.load(name, &directory, adapter).await?;
            for evaluator in &self.evaluators {
                let context = EvaluationContext {
                    directory: evaluation_directory(run, name, evaluator.info()),
                    shared: Some(run.evaluation().join("shared")),
                    observer: Arc::clone(&self.observer),
                };
                evaluations.push(evaluator.evaluate(&subject, &context).await?);
            }
        }
        let mut changes = Vec::new();
        for evaluator in &self.evaluators {
            let [base, other] = [BASE, DETOXIFIED]
                .map(|subject| evaluation_directory(run, subject, evaluator.info()));
            changes.push(evaluator.changes(&base, &other).await?);
        }
        self.warn_of_the_judge(&evaluations);
        let written = (evaluations.clone(), changes.clone());
        blocking(move || {
            write_json(metrics, &written.0)?;
            // Last: it says that both are there.
            write_json(changed, &written.1)
        })
        .await?;
        Ok((evaluations, changes))
    }

    fn warn_of_the_judge(&self, evaluations: &[Evaluation]) {
        if let Some(message) = self.judge_is_filter(evaluations) {
            self.observer.observe(&Event::Warning { message });
        }
    }

    /// A scorer that chose the training data is no impartial judge of the result.
    fn judge_is_filter(&self, evaluations: &[Evaluation]) -> Option<&'static str> {
        let filter = &self.scorer.info().digest;
        let mut judges = evaluations.iter().filter_map(|e| e.provenance.scorer.as_ref()).peekable();
        judges.peek()?;
        judges.all(|judge| judge.digest == *filter).then_some(
            "the scorer that filtered the corpus is the only judge of the result: add an \
             independent one before trusting the difference",
        )
    }
}

/// One folder for each evaluator: two judges share a name, but not a digest.
fn evaluation_directory(run: &RunDirectory, subject: &str, evaluator: &Info) -> PathBuf {
    let folder = format!("{}-{}", evaluator.name, evaluator.digest.short());
    run.evaluation().join(subject).join(folder)
}
