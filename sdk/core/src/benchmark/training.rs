use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::BenchmarkConfig;
use super::figures::Timed;
use crate::training::{Method, TrainingConfig, TrainingJob, TrainingOutcome};
use crate::{Event, Observer, Result, Trainer};

/// Notes when each step was over, and passes everything on.
#[derive(Debug)]
struct Stopwatch {
    observer: Arc<dyn Observer>,
    /// Of each step: when it was over, and its tokens.
    steps: Mutex<Vec<(Instant, u64)>>,
}

impl Observer for Stopwatch {
    fn observe(&self, event: &Event<'_>) {
        if let Event::TrainingStep { tokens, .. } = event {
            let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            steps.push((Instant::now(), *tokens));
        }
        self.observer.observe(event);
    }
}

/// Trains a few steps. The first is not counted: it finds and fills memory.
///
/// # Errors
/// Those of the trainer.
pub(super) async fn train(
    trainer: &dyn Trainer,
    config: &BenchmarkConfig,
    method: &Method,
    (model, corpus, place): (&Path, &Path, &Path),
    observer: Arc<dyn Observer>,
) -> Result<(Timed, TrainingOutcome)> {
    let job = TrainingJob {
        base: model.to_path_buf(),
        corpus: vec![corpus.to_path_buf()],
        validation: Vec::new(),
        method: method.clone(),
        config: TrainingConfig {
            max_steps: Some(config.steps + 1),
            sequence_length: Some(config.text_length(method)),
            batch_size: config.batch_size,
            // A checkpoint at the end alone, after the last step was timed.
            checkpoint_every: u64::MAX,
            ..TrainingConfig::default()
        },
        seed: 0,
        work: place.join("train"),
        output: place.join("model"),
    };
    let stopwatch = Arc::new(Stopwatch { observer, steps: Mutex::default() });
    let outcome = trainer.train(&job, Arc::clone(&stopwatch) as Arc<dyn Observer>).await?;
    let steps = stopwatch.steps.lock().unwrap_or_else(PoisonError::into_inner);
    let [(first, _), rest @ ..] = steps.as_slice() else {
        return Ok((Timed { units: 0, time: std::time::Duration::ZERO }, outcome));
    };
    let time = rest.last().map_or_else(Default::default, |(last, _)| *last - *first);
    Ok((Timed { units: rest.iter().map(|(_, tokens)| tokens).sum(), time }, outcome))
}
