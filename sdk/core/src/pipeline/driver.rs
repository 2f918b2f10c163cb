use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::corpus::read_texts;
use crate::evaluation::{Changes, IdentityFalsePositives};
use crate::files::{read_json, write_atomically, write_json};
use crate::pipeline::PipelineConfig;
use crate::pipeline::card::card;
use crate::pipeline::components::Components;
use crate::pipeline::self_generation::{KEPT, SelfGeneration};
use crate::prompts::PromptStrategy;
use crate::report::{Annotators, RunStory, judge_is_filter, run_page};
use crate::run::RunDirectory;
use crate::selection::SelectionSummary;
use crate::training::{TrainingJob, TrainingOutcome};
use crate::worker::blocking;
use crate::{
    Digest, Evaluation, Evaluator, Event, Filter, Framework, Info, ModelDirectory, Observer,
    Result, ToxicityScorer,
};

const METRICS: &str = "metrics.json";
const CHANGES: &str = "changes.json";
pub(crate) const FALSE_POSITIVES: &str = "false_positives.json";
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
    components: Components,
    false_positives: Option<IdentityFalsePositives>,
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
    /// Whom the scorer that chose the texts takes for toxic; `None` when it was not asked.
    pub false_positives: Option<Evaluation>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    false_positives: Option<Info>,
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
        Self { config, components: Components::new(framework, scorer), false_positives: None }
    }

    /// Adds a filter: what it drops is not trained on.
    #[must_use]
    pub fn with_filter(mut self, filter: Arc<dyn Filter>) -> Self {
        self.components.filters.push(filter);
        self
    }

    /// Adds a measurement, taken of the base model and of the detoxified one.
    #[must_use]
    pub fn with_evaluator(mut self, evaluator: Arc<dyn Evaluator>) -> Self {
        self.components.evaluators.push(evaluator);
        self
    }

    /// Asks the scorer that chooses the texts, too, how differently it treats groups of people: the
    /// report shows it beside the gaps between groups in what the models write.
    #[must_use]
    pub fn with_false_positives(mut self, asked: IdentityFalsePositives) -> Self {
        self.false_positives = Some(asked);
        self
    }

    /// Tells `observer` about progress.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.components.observer = observer;
        self
    }

    /// Runs, or goes on with, the pipeline on the model in `model`, in the directory `run`.
    ///
    /// # Errors
    /// When the configuration is impossible, the run is of other settings or held by another
    /// process, or a stage fails. Nothing that was done is lost: the same call goes on.
    pub async fn run(&self, model: &Path, run: &Path) -> Result<RunSummary> {
        self.config.validate()?;
        self.components
            .trainer
            .capabilities()
            .require(&self.config.method, self.components.trainer.info())?;
        if let Some(asked) = &self.false_positives {
            asked.check(&*self.components.scorer)?;
        }
        let run = self.open(model, run).await?;
        if !SelfGeneration::is_done(&run) {
            let base = self.components.load(BASE, model, None).await?;
            self.corpus().write(&run, &*base.generator).await?;
        }
        let selection = self.corpus().select(&run).await?;
        let training = self.train(model, &run).await?;
        let (evaluations, changes) = self.evaluate(model, &run).await?;
        let false_positives = self.ask_the_scorer(&run).await?;
        let summary = RunSummary { selection, training, evaluations, changes, false_positives };
        let base = ModelDirectory::plain_name_of(model);
        let card = card(&base, &self.config, &self.annotators(), &summary);
        let (pipeline, told) = (self.clone(), summary.clone());
        blocking(move || {
            write_atomically(run.model().join(CARD), card)?;
            let annotators = pipeline.annotators();
            run_page(&RunStory {
                config: &pipeline.config,
                annotators: &annotators,
                summary: &told,
                run: &run,
            })?
            .write(run.path())
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
            scorer: self.components.scorer.info(),
            filters: self.annotators().filters,
            trainer: self.components.trainer.info(),
            evaluators: self
                .components
                .evaluators
                .iter()
                .map(|evaluator| evaluator.info())
                .collect(),
            false_positives: self.false_positives.as_ref().map(|asked| asked.info()).transpose()?,
            config,
            validation,
            prompts,
        };
        RunDirectory::open(run, &manifest)
    }

    fn annotators(&self) -> Annotators<'_> {
        Annotators {
            scorer: self.components.scorer.info(),
            filters: self.components.filters.iter().map(|filter| filter.info()).collect(),
        }
    }

    /// The stage that writes the corpus and chooses from it.
    fn corpus(&self) -> SelfGeneration<'_> {
        let PipelineConfig { seed, prompts, generation, selection, .. } = &self.config;
        self.components.self_generation(*seed, prompts, generation, selection)
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
        self.components.trainer.train(&job, Arc::clone(&self.components.observer)).await
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
        let suite = self.components.suite(run.evaluation().join("shared"));
        let [base, detoxified] = [BASE, DETOXIFIED].map(|name| run.evaluation().join(name));
        let mut evaluations = Vec::new();
        if !self.components.evaluators.is_empty() {
            let subject = self.components.load(BASE, model, None).await?;
            evaluations.extend(suite.evaluate(&subject, &base).await?);
            drop(subject);
            let subject = if self.config.method.makes_adapter() {
                self.components.load(DETOXIFIED, model, Some(run.model())).await?
            } else {
                self.components.load(DETOXIFIED, &run.model(), None).await?
            };
            evaluations.extend(suite.evaluate(&subject, &detoxified).await?);
        }
        let changes = suite.changes(&base, &detoxified).await?;
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

    async fn ask_the_scorer(&self, run: &RunDirectory) -> Result<Option<Evaluation>> {
        let Some(asked) = &self.false_positives else { return Ok(None) };
        let file = run.evaluation().join(FALSE_POSITIVES);
        if file.is_file() {
            return blocking(move || read_json(file)).await.map(Some);
        }
        let Components { scorer, observer, .. } = &self.components;
        let found = asked.measure(&**scorer, &**observer).await?;
        let written = found.clone();
        blocking(move || write_json(file, &written)).await?;
        Ok(Some(found))
    }

    /// A scorer that chose the training data is no impartial judge of the result.
    fn warn_of_the_judge(&self, evaluations: &[Evaluation]) {
        if judge_is_filter(evaluations, &self.components.scorer.info().digest) {
            let message = "the scorer that filtered the corpus is the only judge of the result: add an \
                           independent one before trusting the difference";
            self.components.observer.observe(&Event::Warning { message });
        }
    }
}
