use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use crate::files::{create_directory_atomically, read_json, write_atomically, write_json};
use crate::lock::DirectoryLock;
use crate::pipeline::Stage;
use crate::settings::write_or_compare;
use crate::training::checkpoint::{self, Progress};
use crate::training::event_file::EventFile;
use crate::training::metrics::MetricsLog;
use crate::training::packing::PackedStream;
use crate::training::token_store::TokenStore;
use crate::training::{
    BatchLoss, Card, Method, StepMetrics, TrainBackend, TrainSession, Trainer, TrainerCapabilities,
    TrainingConfig, TrainingJob, TrainingOutcome, ValidationMetrics,
};
use crate::worker::{Cancellation, Worker};
use crate::{Digest, Error, ErrorKind, Event, Info, ModelDirectory, Observer, Result};

/// The most tokens of a sequence, where neither the configuration nor the model sets a lower limit.
const DEFAULT_SEQUENCE_LENGTH: usize = 1024;
const OUTCOME: &str = "outcome.json";

/// Makes a [`Trainer`] of any [`TrainBackend`]: packing, order, schedule, accumulation, validation,
/// metrics, checkpoints and resumption, written once.
#[derive(Debug)]
pub struct LocalTrainer {
    backend: Arc<dyn TrainBackend>,
    worker: Worker,
}

impl LocalTrainer {
    /// A trainer on a thread of its own.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(backend: impl TrainBackend) -> Result<Self> {
        Ok(Self { backend: Arc::new(backend), worker: Worker::spawn("detoxlm-train")? })
    }
}

#[async_trait]
impl Trainer for LocalTrainer {
    fn info(&self) -> &Info {
        self.backend.info()
    }

    fn capabilities(&self) -> &TrainerCapabilities {
        self.backend.capabilities()
    }

    async fn train(
        &self,
        job: &TrainingJob,
        observer: Arc<dyn Observer>,
    ) -> Result<TrainingOutcome> {
        let (backend, job) = (Arc::clone(&self.backend), job.clone());
        self.worker.run(move |cancellation| train(&*backend, &job, cancellation, &*observer)).await
    }
}

/// What decides the result of a job; where it is kept does not.
#[derive(Serialize)]
struct JobRecord<'a> {
    trainer: &'a Info,
    base: Digest,
    corpus: Vec<Digest>,
    validation: Vec<Digest>,
    method: &'a Method,
    config: &'a TrainingConfig,
    seed: u64,
}

/// An outcome without the path of its model, so that equal trainings leave equal files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, serde::Deserialize)]
struct OutcomeRecord {
    steps: u64,
    tokens: u64,
    trainable_parameters: u64,
    total_parameters: u64,
    final_loss: f64,
}

impl OutcomeRecord {
    fn at(self, model: &Path) -> TrainingOutcome {
        TrainingOutcome {
            model: model.to_path_buf(),
            steps: self.steps,
            tokens: self.tokens,
            trainable_parameters: self.trainable_parameters,
            total_parameters: self.total_parameters,
            final_loss: self.final_loss,
        }
    }
}

fn train(
    backend: &dyn TrainBackend,
    job: &TrainingJob,
    cancellation: &Cancellation,
    observer: &dyn Observer,
) -> Result<TrainingOutcome> {
    job.config.validate()?;
    job.method.validate()?;
    backend.capabilities().require(&job.method, backend.info())?;
    let _lock = DirectoryLock::acquire(&job.work)?;
    let digests = |files: &[PathBuf]| files.iter().map(Digest::of_file).collect::<Result<_>>();
    let record = JobRecord {
        trainer: backend.info(),
        base: ModelDirectory::digest_at(&job.base)?,
        corpus: digests(&job.corpus)?,
        validation: digests(&job.validation)?,
        method: &job.method,
        config: &job.config,
        seed: job.seed,
    };
    let settings = job.work.join("job.json");
    if settings.is_file() {
        write_or_compare("training", &settings, &record)?;
        if let Some(outcome) = finished(job)? {
            return Ok(outcome.at(&job.output));
        }
    }
    let session = backend.open(job)?;
    // Only now: what the backend refuses leaves nothing that a corrected job would be compared with.
    write_or_compare("training", &settings, &record)?;
    let mut training = Training::open(session, job, cancellation)?;
    training.run(cancellation, observer)?;
    let outcome = training.finish()?;
    observer.observe(&Event::StageFinished { stage: Stage::Train });
    Ok(outcome.at(&job.output))
}

/// The outcome of a job that is complete: its output is there and its outcome was written.
fn finished(job: &TrainingJob) -> Result<Option<OutcomeRecord>> {
    let path = job.work.join(OUTCOME);
    if !job.output.is_dir() || !path.is_file() {
        return Ok(None);
    }
    read_json(path).map(Some)
}

struct Training<'a> {
    job: &'a TrainingJob,
    session: Box<dyn TrainSession>,
    stream: PackedStream,
    metrics: MetricsLog,
    /// For TensorBoard, if it was asked for.
    events: Option<EventFile>,
    progress: Progress,
    sequence_length: usize,
    total_steps: u64,
}

impl<'a> Training<'a> {
    fn open(
        mut session: Box<dyn TrainSession>,
        job: &'a TrainingJob,
        cancellation: &Cancellation,
    ) -> Result<Self> {
        let context = session.context_length();
        let sequence_length =
            job.config.sequence_length.unwrap_or(context.min(DEFAULT_SEQUENCE_LENGTH));
        if sequence_length > context {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "training",
                "train",
                format!("{sequence_length} tokens do not fit the model's context of {context}"),
            )
            .with_key("sequence_length"));
        }
        let progress = match checkpoint::latest(&job.work)? {
            Some((directory, progress)) => {
                session.restore(&directory)?;
                progress
            }
            None => Progress::default(),
        };
        let store = TokenStore::open_or_build(
            &job.work,
            "corpus",
            &job.corpus,
            session.tokenizer(),
            session.vocabulary(),
            cancellation,
        )?;
        let config = &job.config;
        let step_tokens = (config.batch_size * config.accumulation * sequence_length) as f64;
        let epoch_steps = config.epochs * store.total() as f64 / step_tokens;
        let total_steps = config.max_steps.unwrap_or((epoch_steps.ceil() as u64).max(1));
        let events =
            config.tensorboard.then(|| EventFile::open(&job.work, progress.step)).transpose()?;
        Ok(Self {
            job,
            session,
            stream: PackedStream::shuffled(store, job.seed, progress.cursor),
            metrics: MetricsLog::open(&job.work.join("metrics.jsonl"), progress.metrics_bytes)?,
            events,
            progress,
            sequence_length,
            total_steps,
        })
    }

    fn run(&mut self, cancellation: &Cancellation, observer: &dyn Observer) -> Result<()> {
        observer.observe(&Event::StageStarted {
            stage: Stage::Train,
            total: Some(self.total_steps),
            done: self.progress.step,
            unit: "steps",
        });
        if self.progress.step == 0 {
            self.validate(cancellation)?;
        }
        while self.progress.step < self.total_steps {
            cancellation.check()?;
            let tokens = self.step()?;
            let Progress { step, loss, .. } = self.progress;
            observer.observe(&Event::TrainingStep { step, loss, tokens });
            observer.observe(&Event::StageAdvanced { stage: Stage::Train, count: 1 });
            let is_last = step == self.total_steps;
            if is_last || step.is_multiple_of(self.job.config.validate_every) {
                self.validate(cancellation)?;
            }
            if is_last || step.is_multiple_of(self.job.config.checkpoint_every) {
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    /// One optimiser step: as many passes as are accumulated, then the update.
    fn step(&mut self) -> Result<u64> {
        let config = &self.job.config;
        let step = self.progress.step + 1;
        let weight = 1.0 / config.accumulation as f64;
        let (mut total, mut tokens) = (0.0, 0);
        for _ in 0..config.accumulation {
            let batch = self.stream.next_batch(config.batch_size, self.sequence_length)?;
            let BatchLoss { mean, tokens: count } = self.session.accumulate(&batch, weight)?;
            if !mean.is_finite() {
                return Err(self.diverged(step, format!("the loss is {mean}")));
            }
            total += mean * count as f64;
            tokens += count;
        }
        let learning_rate = config.learning_rate.at(step, self.total_steps);
        let gradient_norm = self.session.step(learning_rate)?;
        if !gradient_norm.is_finite() {
            return Err(self.diverged(step, format!("the gradient's norm is {gradient_norm}")));
        }
        let loss = total / tokens as f64;
        self.progress.step = step;
        self.progress.loss = loss;
        self.progress.tokens += tokens;
        self.progress.cursor = self.stream.cursor();
        self.metrics.append(&StepMetrics {
            step,
            loss,
            learning_rate,
            gradient_norm,
            tokens: self.progress.tokens,
            epoch: self.progress.tokens as f64 / self.stream.store().total() as f64,
        })?;
        if let Some(events) = &mut self.events {
            events.append(
                step,
                &[
                    ("train/loss", loss),
                    ("train/learning_rate", learning_rate),
                    ("train/gradient_norm", gradient_norm),
                ],
            )?;
        }
        Ok(tokens)
    }

    fn diverged(&self, step: u64, what: String) -> Error {
        let kept = match checkpoint::latest(&self.job.work) {
            Ok(Some((path, progress))) => {
                format!("the checkpoint of step {} is kept: {}", progress.step, path.display())
            }
            _ => "no checkpoint had been written".to_owned(),
        };
        Error::new(
            ErrorKind::Diverged,
            "training",
            format!("take step {step}"),
            format!("{what}; {kept}"),
        )
        .with_path(&self.job.work)
        .with_remedy("lower learning_rate.peak or optimizer.max_grad_norm")
    }

    /// Mean loss over all of the held-out text, in its own order.
    fn validate(&mut self, cancellation: &Cancellation) -> Result<()> {
        if self.job.validation.is_empty() {
            return Ok(());
        }
        let store = TokenStore::open_or_build(
            &self.job.work,
            "validation",
            &self.job.validation,
            self.session.tokenizer(),
            self.session.vocabulary(),
            cancellation,
        )?;
        // The first token has nothing before it to be predicted from.
        let mut left = store.total().saturating_sub(1) as usize;
        let mut stream = PackedStream::in_order(store);
        let (mut total, mut tokens) = (0.0, 0);
        while left > 0 {
            cancellation.check()?;
            let length = self.sequence_length.min(left);
            let sequences = (left / length).min(self.job.config.batch_size);
            let batch = stream.next_batch(sequences, length)?;
            let loss = self.session.evaluate(&batch)?;
            total += loss.mean * loss.tokens as f64;
            tokens += loss.tokens;
            left -= sequences * length;
        }
        if tokens == 0 {
            return Ok(());
        }
        let validation_loss = total / tokens as f64;
        if !validation_loss.is_finite() {
            let what = format!("the validation loss is {validation_loss}");
            return Err(self.diverged(self.progress.step, what));
        }
        if let Some(events) = &mut self.events {
            events.append(self.progress.step, &[("validation/loss", validation_loss)])?;
        }
        self.metrics.append(&ValidationMetrics {
            step: self.progress.step,
            validation_loss,
            validation_perplexity: validation_loss.exp(),
            validation_tokens: tokens,
        })
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.progress.metrics_bytes = self.metrics.sync()?;
        if let Some(events) = &self.events {
            events.sync()?;
        }
        let keep = self.job.config.keep_checkpoints;
        checkpoint::write(&self.job.work, &*self.session, &self.progress, keep).map_err(|error| {
            match error.kind() {
                ErrorKind::Diverged => {
                    self.diverged(self.progress.step, error.message().to_owned())
                }
                _ => error,
            }
        })
    }

    fn finish(&self) -> Result<OutcomeRecord> {
        let parameters = self.session.parameters();
        let outcome = OutcomeRecord {
            steps: self.progress.step,
            tokens: self.progress.tokens,
            trainable_parameters: parameters.trainable,
            total_parameters: parameters.total,
            final_loss: self.progress.loss,
        };
        // The output's rename is its completion: an interruption may have come right after it.
        if !self.job.output.is_dir() {
            create_directory_atomically(&self.job.output, |directory| {
                self.session.export(directory)?;
                write_atomically(directory.join("README.md"), self.card(outcome)?)
            })?;
        }
        write_json(self.job.work.join(OUTCOME), &outcome)?;
        Ok(outcome)
    }

    fn card(&self, outcome: OutcomeRecord) -> Result<String> {
        let TrainingJob { base, corpus, method, config, seed, output, .. } = self.job;
        let mut data = String::from("It was trained on these files, named by their SHA-256:\n");
        for file in corpus {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let _ = write!(data, "\n- `{name}`, {}", Digest::of_file(file)?.as_str());
        }
        let card = Card {
            base: &ModelDirectory::plain_name_of(base),
            method,
            config,
            outcome: &outcome.at(output),
            seed: *seed,
            data,
            figures: "Nothing yet: `detoxlm evaluate` measures toxicity and perplexity.".to_owned(),
            limits:
                "It has learned what its training data say, and keeps what its base model gets \
                     wrong."
                    .to_owned(),
        };
        Ok(card.to_markdown())
    }
}
