use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::cell::{StudyCell, StudyTraining};
use super::config::{StudyConfig, StudyCorpus, StudyMethod, StudyModel, folder, unique};
use super::{corpora, pictures, report};
use crate::evaluation::Suite;
use crate::files::{read_json, write_atomically, write_json};
use crate::lock::DirectoryLock;
use crate::pipeline::Components;
use crate::settings::write_or_compare;
use crate::training::{TrainingConfig, TrainingJob};
use crate::worker::blocking;
use crate::{
    Evaluator, Event, Filter, Framework, ModelDirectory, Observer, Result, ToxicityScorer,
};

/// A grid of corpora, methods and models, each trained and measured.
///
/// Self-generated texts are written once for each model, other corpora once for all, and what the
/// untrained models are measured by once. Every cell is kept when it is done; running the same study
/// again goes on, and one with more models, corpora or methods adds to what is there.
#[derive(Clone, Debug)]
pub struct Study {
    pub(super) config: StudyConfig,
    pub(super) components: Components,
}

/// What a study came to.
#[derive(Clone, Debug, PartialEq)]
pub struct StudySummary {
    /// Model by model: as it was, then corpus by corpus and method by method.
    pub cells: Vec<StudyCell>,
    /// Their titles and tables, in Markdown.
    pub tables: Vec<(String, String)>,
}

impl Study {
    /// A study without filters and without evaluation.
    #[must_use]
    pub fn new(
        config: StudyConfig,
        framework: &Framework,
        scorer: Arc<dyn ToxicityScorer>,
    ) -> Self {
        Self { config, components: Components::new(framework, scorer) }
    }

    /// Adds a filter: what it drops is not trained on.
    #[must_use]
    pub fn with_filter(mut self, filter: Arc<dyn Filter>) -> Self {
        self.components.filters.push(filter);
        self
    }

    /// Adds a measurement, taken of every cell.
    #[must_use]
    pub fn with_evaluator(mut self, evaluator: Arc<dyn Evaluator>) -> Self {
        self.components.evaluators.push(evaluator);
        self
    }

    /// Tells `observer` about progress.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.components.observer = observer;
        self
    }

    /// Runs, or goes on with, the study of these models in a directory, and writes `report.md`,
    /// `cells.json` and a picture for every judge there.
    ///
    /// # Errors
    /// When the configuration is impossible, a part of the directory is of other settings or the
    /// directory is held by another process, or a stage fails. Nothing that was done is lost: the same
    /// call goes on.
    pub async fn run(&self, models: &[StudyModel], directory: &Path) -> Result<StudySummary> {
        self.config.validate()?;
        unique("models.name", models.iter().map(|model| &model.name))?;
        for method in &self.config.methods {
            self.components
                .trainer
                .capabilities()
                .require(&method.method, self.components.trainer.info())?;
        }
        let _lock = DirectoryLock::acquire(directory)?;
        let total = (models.len() * (1 + self.config.grid().count())) as u64;
        let mut cells = Vec::new();
        for model in models {
            let base = Place::new(directory, &[&model.name, "as it was"]);
            self.begin(cells.len(), total, &format!("{}, as it was", model.name));
            cells.push(self.untrained(model, &base, directory).await?);
            for (corpus, method) in self.config.grid() {
                let name = format!("{}, {}, {}", model.name, corpus.name, method.name);
                self.begin(cells.len(), total, &name);
                let place = Place::new(directory, &[&model.name, &corpus.name, &method.name]);
                let cell = Cell { model, corpus, method, base: &base, place: &place };
                cells.push(self.trained(&cell, directory).await?);
            }
        }
        let tables = report::tables(&cells);
        let report = report::report(&self.config, self.components.scorer.info(), &cells, &tables);
        let (root, kept) = (directory.to_path_buf(), cells.clone());
        blocking(move || {
            for (name, picture) in pictures::pictures(&kept) {
                write_atomically(root.join(name), picture)?;
            }
            write_json(root.join("cells.json"), &kept)?;
            write_atomically(root.join("report.md"), report)
        })
        .await?;
        Ok(StudySummary { cells, tables })
    }

    fn begin(&self, done: usize, total: u64, name: &str) {
        self.components.observer.observe(&Event::PartStarted {
            name,
            number: done as u64 + 1,
            total,
        });
    }

    fn suite(&self, root: &Path) -> Suite {
        self.components.suite(root.join("continuations"))
    }

    async fn untrained(&self, model: &StudyModel, place: &Place, root: &Path) -> Result<StudyCell> {
        let (directory, settings) = (model.directory.clone(), place.0.join("model.json"));
        blocking(move || {
            let digest = ModelDirectory::digest_at(&directory)?;
            write_or_compare("study", &settings, &json!({ "model": digest }))
        })
        .await?;
        if let Some(cell) = self.kept(place).await? {
            return Ok(cell);
        }
        let mut evaluations = Vec::new();
        if !self.components.evaluators.is_empty() {
            let subject = self.components.load("as it was", &model.directory, None).await?;
            evaluations = self.suite(root).evaluate(&subject, &place.evaluation()).await?;
        }
        let cell = StudyCell {
            model: model.name.clone(),
            corpus: None,
            method: None,
            training: None,
            evaluations,
            changes: Vec::new(),
        };
        keep(place, cell).await
    }

    async fn trained(&self, cell: &Cell<'_>, root: &Path) -> Result<StudyCell> {
        let Cell { model, corpus, method, base, place } = cell;
        let texts = corpora::prepare(self, corpus, model, root).await?;
        let learning_rate =
            method.learning_rate.clone().unwrap_or(self.config.training.learning_rate.clone());
        let job = TrainingJob {
            base: model.directory.clone(),
            corpus: vec![texts],
            validation: Vec::new(),
            method: method.method.clone(),
            config: TrainingConfig { learning_rate, ..self.config.training.clone() },
            seed: self.config.seed,
            work: place.0.join("train"),
            output: place.0.join("model"),
        };
        let is_first_sitting = !job.work.exists();
        let begun = Instant::now();
        let outcome =
            self.components.trainer.train(&job, Arc::clone(&self.components.observer)).await?;
        let seconds = is_first_sitting.then(|| begun.elapsed().as_secs_f64());
        // Only now: corpus and training have found that they are of these settings.
        if let Some(cell) = self.kept(place).await? {
            return Ok(cell);
        }
        let (mut evaluations, mut changes) = (Vec::new(), Vec::new());
        if !self.components.evaluators.is_empty() {
            let name = format!("{}, {}", corpus.name, method.name);
            let subject = if method.method.makes_adapter() {
                self.components.load(&name, &model.directory, Some(outcome.model)).await?
            } else {
                self.components.load(&name, &outcome.model, None).await?
            };
            let suite = self.suite(root);
            evaluations = suite.evaluate(&subject, &place.evaluation()).await?;
            changes = suite.changes(&base.evaluation(), &place.evaluation()).await?;
        }
        let cell = StudyCell {
            model: model.name.clone(),
            corpus: Some(corpus.name.clone()),
            method: Some(method.name.clone()),
            training: Some(StudyTraining {
                tokens: outcome.tokens,
                trainable_parameters: outcome.trainable_parameters,
                total_parameters: outcome.total_parameters,
                seconds,
            }),
            evaluations,
            changes,
        };
        keep(place, cell).await
    }

    /// A cell that is done, measured by just these evaluators.
    async fn kept(&self, place: &Place) -> Result<Option<StudyCell>> {
        let path = place.cell();
        let cell: Option<StudyCell> =
            blocking(move || if path.is_file() { read_json(path).map(Some) } else { Ok(None) })
                .await?;
        let wanted = || self.components.evaluators.iter().map(|evaluator| &evaluator.info().digest);
        Ok(cell.filter(|cell| cell.evaluators().map(|(_, digest)| digest).eq(wanted())))
    }
}

/// One combination.
struct Cell<'a> {
    model: &'a StudyModel,
    corpus: &'a StudyCorpus,
    method: &'a StudyMethod,
    /// The model as it was.
    base: &'a Place,
    place: &'a Place,
}

/// A cell's directory.
struct Place(PathBuf);

impl Place {
    fn new(root: &Path, names: &[&str]) -> Self {
        let cells = root.join("cells");
        Self(names.iter().fold(cells, |path, name| path.join(folder(name))))
    }

    fn evaluation(&self) -> PathBuf {
        self.0.join("eval")
    }

    fn cell(&self) -> PathBuf {
        self.0.join("cell.json")
    }
}

async fn keep(place: &Place, cell: StudyCell) -> Result<StudyCell> {
    let path = place.cell();
    blocking(move || {
        write_json(path, &cell)?;
        Ok(cell)
    })
    .await
}
