use std::path::Path;

use crate::causal_lm::Tokenizer;
use crate::testing::bigram::negative_log_likelihood;
use crate::testing::{BigramLm, ByteTokenizer};
use crate::training::{
    BatchLoss, ParameterCounts, TokenBatch, TrainBackend, TrainSession, TrainerCapabilities,
    TrainingJob,
};
use crate::{Digest, Info, Result};

const V: usize = ByteTokenizer::SIZE;

/// Trains a [`BigramLm`] by plain gradient descent.
#[derive(Debug)]
pub struct BigramTrainBackend {
    info: Info,
    capabilities: TrainerCapabilities,
    diverges_at: Option<u64>,
}

impl BigramTrainBackend {
    /// A backend that works.
    #[must_use]
    pub fn new() -> Self {
        Self {
            info: Info::new("bigram-trainer", "1", Digest::of("bigram-trainer")),
            capabilities: TrainerCapabilities::new(["full"]),
            diverges_at: None,
        }
    }

    /// Makes the loss of step `step` (from 1) not a number.
    #[must_use]
    pub fn diverging_at(mut self, step: u64) -> Self {
        self.diverges_at = Some(step);
        self
    }
}

impl Default for BigramTrainBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl TrainBackend for BigramTrainBackend {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &TrainerCapabilities {
        &self.capabilities
    }

    fn open(&self, job: &TrainingJob) -> Result<Box<dyn TrainSession>> {
        Ok(Box::new(BigramTraining {
            model: BigramLm::open(&job.base)?,
            gradient: vec![0.0; V * V],
            steps: 0,
            diverges_at: self.diverges_at,
        }))
    }
}

#[derive(Debug)]
struct BigramTraining {
    model: BigramLm,
    gradient: Vec<f32>,
    steps: u64,
    diverges_at: Option<u64>,
}

impl TrainSession for BigramTraining {
    fn parameters(&self) -> ParameterCounts {
        let all = self.model.table.len() as u64;
        ParameterCounts { trainable: all, total: all }
    }

    fn context_length(&self) -> usize {
        128
    }

    fn vocabulary(&self) -> usize {
        V
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &ByteTokenizer
    }

    fn accumulate(&mut self, batch: &TokenBatch, weight: f64) -> Result<BatchLoss> {
        let loss = self.evaluate(batch)?;
        let share = weight / batch.inputs.len() as f64;
        for (&input, &target) in batch.inputs.iter().zip(&batch.targets) {
            let logits = self.model.logits_after(input)?;
            let row = &mut self.gradient[input as usize * V..][..V];
            let log_total =
                negative_log_likelihood(logits, target) + f64::from(logits[target as usize]);
            for (slot, &logit) in row.iter_mut().zip(logits) {
                *slot += (share * (f64::from(logit) - log_total).exp()) as f32;
            }
            row[target as usize] -= share as f32;
        }
        if self.diverges_at == Some(self.steps + 1) {
            return Ok(BatchLoss { mean: f64::NAN, ..loss });
        }
        Ok(loss)
    }

    fn step(&mut self, learning_rate: f64) -> Result<f64> {
        let norm = self.gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        for (weight, gradient) in self.model.table.iter_mut().zip(&mut self.gradient) {
            *weight -= learning_rate as f32 * *gradient;
            *gradient = 0.0;
        }
        self.steps += 1;
        Ok(norm)
    }

    fn evaluate(&self, batch: &TokenBatch) -> Result<BatchLoss> {
        let mut total = 0.0;
        for (&input, &target) in batch.inputs.iter().zip(&batch.targets) {
            total += negative_log_likelihood(self.model.logits_after(input)?, target);
        }
        let tokens = batch.inputs.len() as u64;
        Ok(BatchLoss { mean: total / tokens as f64, tokens })
    }

    fn save(&self, directory: &Path) -> Result<()> {
        self.model.save(directory)
    }

    fn restore(&mut self, directory: &Path) -> Result<()> {
        self.model = BigramLm::open(directory)?;
        Ok(())
    }

    fn export(&self, directory: &Path) -> Result<()> {
        self.model.save(directory)
    }
}
