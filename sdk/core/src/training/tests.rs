use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::testing::{BigramLm, BigramTrainBackend};
use crate::training::{
    LearningRate, LocalTrainer, Method, StepMetrics, Trainer, TrainingConfig, TrainingJob,
    ValidationMetrics,
};
use crate::{ErrorKind, Event, Observer, Silent};

/// A base model, forty short documents, and a job on them.
fn job(root: &Path, name: &str) -> TrainingJob {
    let base = root.join("base");
    BigramLm::new(1).save(&base).unwrap();
    let corpus = root.join("corpus.jsonl");
    let rows: String =
        (0..40).map(|i| format!("{{\"text\":\"calm and kind words {i}\"}}\n")).collect();
    fs::write(&corpus, rows).unwrap();
    let validation = root.join("held-out.jsonl");
    fs::write(&validation, "{\"text\":\"kind words and calm\"}\n").unwrap();
    TrainingJob {
        base,
        corpus: vec![corpus],
        validation: vec![validation],
        method: Method::Full {},
        config: TrainingConfig {
            max_steps: Some(12),
            sequence_length: Some(16),
            batch_size: 2,
            accumulation: 2,
            learning_rate: LearningRate { peak: 20.0, ..LearningRate::default() },
            checkpoint_every: 5,
            validate_every: 4,
            ..TrainingConfig::default()
        },
        seed: 3,
        work: root.join(name),
        output: root.join(format!("{name}-model")),
    }
}

fn trainer() -> LocalTrainer {
    LocalTrainer::new(BigramTrainBackend::new()).unwrap()
}

fn rows(work: &Path) -> (Vec<StepMetrics>, Vec<ValidationMetrics>) {
    let text = fs::read_to_string(work.join("metrics.jsonl")).unwrap();
    let steps = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let validations = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    (steps, validations)
}

/// Every file below a directory but the lock, with its content.
fn snapshot(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else if !path.ends_with(".lock") {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

fn relative(files: Vec<(PathBuf, Vec<u8>)>, root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(root).unwrap().to_path_buf(), bytes))
        .collect()
}

#[tokio::test]
async fn training_learns_and_tells_what_it_did() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path(), "work");
    let outcome = trainer().train(&job, Arc::new(Silent)).await.unwrap();
    assert_eq!((outcome.steps, outcome.tokens), (12, 12 * 2 * 2 * 16));
    let (steps, validations) = rows(&job.work);
    assert_eq!(steps.iter().map(|row| row.step).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert!(steps[11].loss < steps[0].loss - 1.0, "{steps:?}");
    assert_eq!(validations.iter().map(|row| row.step).collect::<Vec<_>>(), [0, 4, 8, 12]);
    assert!(validations[3].validation_perplexity < validations[0].validation_perplexity);
    // "calm and kind words" after <s>: 19 characters and what ends the document.
    assert_eq!(validations[0].validation_tokens, 19);
    assert!(BigramLm::open(&job.output).is_ok());
    let checkpoints =
        snapshot(&job.work).into_iter().filter(|(path, _)| path.ends_with("progress.json")).count();
    assert_eq!(checkpoints, 2, "only the newest two are kept");
}

/// Stops a training by panicking in the observer, as `kill -9` would between two steps.
#[derive(Debug)]
struct StopAt(u64, Mutex<bool>);

impl Observer for StopAt {
    fn observe(&self, event: &Event<'_>) {
        if let Event::TrainingStep { step, .. } = event {
            assert!(*step < self.0, "stopped on purpose");
        }
        *self.1.lock().unwrap() = true;
    }
}

#[tokio::test]
async fn an_interrupted_training_ends_in_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let whole = job(root.path(), "whole");
    trainer().train(&whole, Arc::new(Silent)).await.unwrap();
    let parts = job(root.path(), "parts");
    for stop in [2, 7, 7, 12] {
        let observer = Arc::new(StopAt(stop, Mutex::new(false)));
        let error = trainer().train(&parts, observer).await.unwrap_err();
        assert!(error.to_string().contains("stopped on purpose"), "{error}");
        assert!(!parts.output.exists(), "the output appears only when training is complete");
    }
    trainer().train(&parts, Arc::new(Silent)).await.unwrap();
    assert_eq!(
        relative(snapshot(&parts.work), &parts.work),
        relative(snapshot(&whole.work), &whole.work)
    );
    assert_eq!(
        relative(snapshot(&parts.output), &parts.output),
        relative(snapshot(&whole.output), &whole.output)
    );
}

#[tokio::test]
async fn a_complete_training_is_not_done_again() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path(), "work");
    let first = trainer().train(&job, Arc::new(Silent)).await.unwrap();
    let before = snapshot(root.path());
    let second = trainer().train(&job, Arc::new(StopAt(0, Mutex::new(false)))).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(snapshot(root.path()), before);
}

#[tokio::test]
async fn a_loss_that_is_not_a_number_stops_and_keeps_the_last_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path(), "work");
    let diverging = LocalTrainer::new(BigramTrainBackend::new().diverging_at(8)).unwrap();
    let error = diverging.train(&job, Arc::new(Silent)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    let message = error.to_string();
    assert!(message.contains("step 8") && message.contains("checkpoint of step 5"), "{message}");
    assert!(job.work.join("checkpoint-00000005").is_dir());
    // The rows of the steps that were taken are there, the broken one is not.
    assert_eq!(rows(&job.work).0.len(), 7);
    trainer().train(&job, Arc::new(Silent)).await.unwrap();
    assert_eq!(rows(&job.work).0.len(), 12);
}

#[tokio::test]
async fn another_job_in_the_same_place_is_refused_by_key() {
    let root = tempfile::tempdir().unwrap();
    let mut job = job(root.path(), "work");
    trainer().train(&job, Arc::new(Silent)).await.unwrap();
    job.seed = 4;
    job.config.batch_size = 3;
    let error = trainer().train(&job, Arc::new(Silent)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let message = error.to_string();
    assert!(message.contains("`seed`") && message.contains("`config.batch_size`"), "{message}");
}

#[tokio::test]
async fn an_empty_corpus_is_said() {
    let root = tempfile::tempdir().unwrap();
    let job = job(root.path(), "work");
    fs::write(&job.corpus[0], "{\"text\":\"  \"}\n").unwrap();
    let error = trainer().train(&job, Arc::new(Silent)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Empty);
    assert!(error.to_string().contains("corpus.jsonl"), "{error}");
}

#[tokio::test]
async fn event_files_can_be_asked_for_at_any_time_and_have_every_step_once() {
    let root = tempfile::tempdir().unwrap();
    let whole = job(root.path(), "whole");
    trainer().train(&whole, Arc::new(Silent)).await.unwrap();
    assert!(!whole.work.join("tensorboard").exists(), "nobody asked");
    let mut parts = job(root.path(), "parts");
    parts.config.tensorboard = true;
    for stop in [2, 7, 8] {
        let observer = Arc::new(StopAt(stop, Mutex::new(false)));
        trainer().train(&parts, observer).await.unwrap_err();
    }
    trainer().train(&parts, Arc::new(Silent)).await.unwrap();
    let file = parts.work.join("tensorboard/events.out.tfevents.0000000000.detoxlm");
    let events = fs::read(file).unwrap();
    let count = |tag: &[u8]| events.windows(tag.len()).filter(|window| *window == tag).count();
    assert_eq!((count(b"train/loss"), count(b"train/gradient_norm")), (12, 12));
    assert_eq!(count(b"validation/loss"), 4);
    // Neither the result nor what the job is compared by depends on it.
    let job = |job: &TrainingJob| fs::read_to_string(job.work.join("job.json")).unwrap();
    assert_eq!(job(&whole), job(&parts));
    assert_eq!(
        relative(snapshot(&whole.output), &whole.output),
        relative(snapshot(&parts.output), &parts.output)
    );
}
