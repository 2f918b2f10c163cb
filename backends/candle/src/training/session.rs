//! A model under training.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Result as CandleResult, Var};
use detoxlm_core::causal_lm::{HfTokenizer, Tokenizer};
use detoxlm_core::training::{
    BatchLoss, OptimizerConfig, ParameterCounts, TokenBatch, TrainSession,
};
use detoxlm_core::{Error, ErrorKind, ModelDirectory, Result};
use rayon::ThreadPool;

use super::adamw::AdamW;
use super::gradients::Gradients;
use super::network::Network;
use super::{export, state};
use crate::architecture::{Architecture, Parameter};
use crate::causal_lm::fitting_tokenizer;
use crate::checkpoint::Checkpoint;
use crate::error::{error, internal};
use crate::families;

const OPERATION: &str = "train";

/// All parameters as variables, in the names and layout of the checkpoint they came from.
pub(super) struct FullSession {
    base: ModelDirectory,
    tokenizer: HfTokenizer,
    pool: Arc<ThreadPool>,
    network: Network,
    names: Vec<String>,
    variables: Vec<Var>,
    gradients: Gradients,
    adamw: AdamW,
}

impl FullSession {
    pub(super) fn open(
        base: &Path,
        optimizer: &OptimizerConfig,
        pool: Arc<ThreadPool>,
    ) -> Result<Self> {
        let base = ModelDirectory::open(base)?;
        let architecture = families::describe(&base)?;
        let tokenizer = fitting_tokenizer(&base, &architecture)?;
        let checkpoint = Checkpoint::open(&base, &architecture)?;
        let variables = pool.install(|| load(&architecture, &checkpoint))?;
        let network = Network::new(architecture).map_err(internal("load the model"))?;
        Ok(Self {
            base,
            tokenizer,
            pool,
            network,
            names: checkpoint.names().to_vec(),
            gradients: Gradients::none(variables.len()),
            adamw: AdamW::new(optimizer.clone(), &variables),
            variables,
        })
    }

    /// That the batch is as it says and its ids are in the vocabulary.
    fn check(&self, batch: &TokenBatch) -> Result<()> {
        let refuse = |message: String| Err(error(ErrorKind::InvalidInput, OPERATION, message));
        let TokenBatch { inputs, targets, sequences, length } = batch;
        let tokens = sequences.checked_mul(*length).filter(|&tokens| tokens > 0);
        if tokens != Some(inputs.len()) || tokens != Some(targets.len()) {
            return refuse(format!(
                "{} inputs and {} targets are not {sequences} sequences of {length} tokens",
                inputs.len(),
                targets.len(),
            ));
        }
        if *length > self.context_length() {
            return refuse(format!(
                "a sequence of {length} tokens is longer than the context of {}",
                self.context_length(),
            ));
        }
        let vocabulary = self.vocabulary();
        match inputs.iter().chain(targets).find(|&&token| token as usize >= vocabulary) {
            Some(token) => {
                refuse(format!("token {token} is not in the vocabulary of {vocabulary}"))
            }
            None => Ok(()),
        }
    }

    /// Adds the gradients of `weight * loss`; gives the loss.
    fn backward(&mut self, batch: &TokenBatch, weight: f64) -> CandleResult<f32> {
        let parameters: Vec<_> =
            self.variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let loss = self.network.loss(&parameters, batch)?;
        let store = loss.affine(weight, 0.0)?.backward()?;
        self.gradients.accumulate(&self.variables, store)?;
        loss.to_scalar()
    }

    /// The loss alone. Detached parameters build no graph, so activations go as soon as they are used.
    fn forward(&self, batch: &TokenBatch) -> CandleResult<f32> {
        let parameters: Vec<_> = self.variables.iter().map(Var::as_detached_tensor).collect();
        self.network.loss(&parameters, batch)?.to_scalar()
    }
}

/// Reads every parameter into a variable.
fn load(architecture: &Architecture, checkpoint: &Checkpoint) -> Result<Vec<Var>> {
    architecture
        .parameters
        .iter()
        .enumerate()
        .map(|(index, spec)| {
            let values = checkpoint.read(architecture, Parameter(index))?;
            Var::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
                .map_err(internal("load the model"))
        })
        .collect()
}

fn batch_loss(mean: f32, batch: &TokenBatch) -> BatchLoss {
    BatchLoss { mean: f64::from(mean), tokens: batch.targets.len() as u64 }
}

/// candle's errors past the checks are ours.
fn failed(e: candle_core::Error) -> Error {
    internal(OPERATION)(e)
}

impl TrainSession for FullSession {
    fn parameters(&self) -> ParameterCounts {
        let total = self.network.architecture().size();
        ParameterCounts { trainable: total, total }
    }

    fn context_length(&self) -> usize {
        self.network.architecture().context_length
    }

    fn vocabulary(&self) -> usize {
        self.network.architecture().vocabulary
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn accumulate(&mut self, batch: &TokenBatch, weight: f64) -> Result<BatchLoss> {
        self.check(batch)?;
        let pool = Arc::clone(&self.pool);
        let mean = pool.install(|| self.backward(batch, weight)).map_err(failed)?;
        Ok(batch_loss(mean, batch))
    }

    fn step(&mut self, learning_rate: f64) -> Result<f64> {
        let Self { pool, adamw, variables, gradients, .. } = self;
        let norm =
            pool.install(|| adamw.step(variables, gradients, learning_rate)).map_err(failed)?;
        gradients.clear();
        Ok(norm)
    }

    fn evaluate(&self, batch: &TokenBatch) -> Result<BatchLoss> {
        self.check(batch)?;
        let mean = self.pool.install(|| self.forward(batch)).map_err(failed)?;
        Ok(batch_loss(mean, batch))
    }

    fn save(&self, directory: &Path) -> Result<()> {
        state::save(directory, &self.names, &self.variables, &self.adamw)
    }

    fn restore(&mut self, directory: &Path) -> Result<()> {
        let Self { pool, names, variables, adamw, .. } = self;
        pool.install(|| state::restore(directory, names, variables, adamw))?;
        self.gradients.clear();
        Ok(())
    }

    fn export(&self, directory: &Path) -> Result<()> {
        export::export(&self.base, &self.names, &self.variables, directory)
    }
}

impl fmt::Debug for FullSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FullSession")
            .field("base", &self.base.path())
            .field("steps", &self.adamw.steps)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CandleOptions;
    use crate::training::values::{modify, read};

    const MODELS: [&str; 4] = ["gpt2", "llama3", "llama-linear-f16", "qwen2-bf16-sharded"];

    fn open(name: &str) -> FullSession {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models");
        let pool = CandleOptions::default().with_threads(2).pool().unwrap();
        FullSession::open(&Path::new(models).join(name), &OptimizerConfig::default(), pool).unwrap()
    }

    /// Sequences `first..end` of a batch of 4 sequences of 24 tokens.
    fn batch(sequences: std::ops::Range<u32>) -> TokenBatch {
        let length = 24;
        let ids = |shift: u32| -> Vec<u32> {
            let tokens = sequences.start * length..sequences.end * length;
            tokens.map(|index| 3 + (index + shift) * 71 % 290).collect()
        };
        TokenBatch {
            inputs: ids(0),
            targets: ids(1),
            sequences: sequences.len(),
            length: length as usize,
        }
    }

    fn gradients(session: &FullSession) -> Vec<Vec<f32>> {
        (0..session.variables.len())
            .map(|index| read(session.gradients.get(index).unwrap(), <[f32]>::to_vec).unwrap())
            .collect()
    }

    #[test]
    fn every_parameter_of_every_family_gets_a_gradient() {
        for name in MODELS {
            let mut session = open(name);
            session.accumulate(&batch(0..4), 1.0).unwrap();
            for (parameter, gradient) in session.names.iter().zip(gradients(&session)) {
                assert!(gradient.iter().all(|value| value.is_finite()), "{name}: {parameter}");
                let largest = gradient.iter().fold(0_f32, |most, value| most.max(value.abs()));
                assert!(largest > 1e-5, "{name}: {parameter}: {largest}");
            }
        }
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        for name in MODELS {
            let mut session = open(name);
            let batch = batch(0..2);
            session.accumulate(&batch, 1.0).unwrap();
            for (index, gradient) in gradients(&session).into_iter().enumerate() {
                // Along the gradient itself, whose slope is its norm.
                let norm = gradient.iter().map(|value| value * value).sum::<f32>().sqrt();
                if norm < 1e-4 {
                    continue;
                }
                let moved = |step: f32| {
                    modify(&session.variables[index], |weights| {
                        for (weight, slope) in weights.iter_mut().zip(&gradient) {
                            *weight += step * slope / norm;
                        }
                    })
                    .unwrap();
                    session.evaluate(&batch).unwrap().mean
                };
                let step = 2e-3;
                let rise = moved(step) - moved(-2.0 * step);
                moved(step);
                let slope = rise / f64::from(2.0 * step);
                let error = (slope / f64::from(norm) - 1.0).abs();
                assert!(error < 0.02, "{name}: {}: {slope} {norm}", session.names[index]);
            }
        }
    }

    #[test]
    fn halves_of_a_batch_add_up_to_the_batch() {
        for name in MODELS {
            let (mut whole, mut halves) = (open(name), open(name));
            let all = whole.accumulate(&batch(0..4), 1.0).unwrap();
            let first = halves.accumulate(&batch(0..2), 0.5).unwrap();
            let second = halves.accumulate(&batch(2..4), 0.5).unwrap();
            assert_eq!((all.tokens, first.tokens), (96, 48));
            assert!((all.mean - 0.5 * (first.mean + second.mean)).abs() < 1e-6);
            for (whole, halves) in gradients(&whole).iter().zip(gradients(&halves)) {
                for (whole, halves) in whole.iter().zip(halves) {
                    assert!((whole - halves).abs() < 1e-6, "{name}: {whole} {halves}");
                }
            }
        }
    }
}
