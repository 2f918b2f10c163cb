//! A model under training.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Result as CandleResult, Tensor, Var};
use detoxlm_core::causal_lm::{HfTokenizer, Tokenizer};
use detoxlm_core::training::{BatchLoss, ParameterCounts, TokenBatch, TrainSession, TrainingJob};
use detoxlm_core::{Error, ModelDirectory, Result};
use detoxlm_transformer::export;
use detoxlm_transformer::material::{check_batch, first_tokens, fitting_tokenizer};
use rayon::ThreadPool;

use super::adamw::AdamW;
use super::gradients::Gradients;
use super::network::Network;
use super::{backward, state};
use crate::adapters::{AddedMethod, STORED_PREFIX};
use crate::architecture::{Architecture, Parameter, ParameterSpec};
use crate::checkpoint::Checkpoint;
use crate::error::internal;
use crate::families;
use crate::inference::Engine;

const OPERATION: &str = "train";

/// A base model and what of it, or of what is added to it, is trained.
pub(super) struct Session {
    base: ModelDirectory,
    /// What is added; nothing where the base's own parameters are trained.
    added: Option<AddedMethod>,
    tokenizer: HfTokenizer,
    pool: Arc<ThreadPool>,
    network: Network,
    /// The base's parameters, unless they are the trained ones.
    frozen: Vec<Tensor>,
    /// Of the trained parameters, as in a file.
    pub(super) names: Vec<String>,
    pub(super) variables: Vec<Var>,
    pub(super) gradients: Gradients,
    adamw: AdamW,
    layer_by_layer: bool,
    seed: u64,
    /// Backward passes since the last step.
    passes: u64,
}

impl Session {
    pub(super) fn open(job: &TrainingJob, pool: Arc<ThreadPool>) -> Result<Self> {
        let base = ModelDirectory::open(&job.base)?;
        let architecture = families::describe(&base)?;
        // Before the weights are read: what is impossible is refused at once.
        let added = AddedMethod::new(&architecture, &job.method)?;
        let tokenizer = fitting_tokenizer(&base, &architecture)?;
        let checkpoint = Checkpoint::open(&base, &architecture)?;
        // First: the packed model that it takes is gone before the weights are read to be trained on.
        let real = match added.as_ref().map_or(0, AddedMethod::real_tokens) {
            0 => Vec::new(),
            count => {
                let tokens = first_tokens(&job.corpus, &tokenizer, count)?;
                let engine = || Engine::load(architecture.clone(), &checkpoint);
                pool.install(|| engine()?.keys_and_values(&tokens))?
            }
        };
        let own = pool.install(|| read_all(&architecture, &checkpoint))?;
        let (frozen, names, tensors) = match &added {
            None => (Vec::new(), checkpoint.names().to_vec(), own),
            Some(added) => {
                let values = added.initial_values(job.seed, real);
                let specs = &added.adaptation.parameters;
                let names = specs.iter().map(|spec| spec.name.clone()).collect();
                (own, names, specs.iter().zip(values).map(tensor).collect::<Result<_>>()?)
            }
        };
        let variables = variables(tensors)?;
        let adaptation = added.as_ref().map(|added| added.adaptation.clone()).unwrap_or_default();
        let network = Network::new(architecture, adaptation).map_err(internal("load the model"))?;
        Ok(Self {
            base,
            added,
            tokenizer,
            pool,
            network,
            frozen,
            names,
            gradients: Gradients::none(variables.len()),
            adamw: AdamW::new(job.config.optimizer.clone(), &variables),
            variables,
            layer_by_layer: job.config.gradient_checkpointing,
            seed: job.seed,
            passes: 0,
        })
    }

    fn check(&self, batch: &TokenBatch) -> Result<()> {
        check_batch(batch, self.context_length(), self.vocabulary())
    }

    /// All parameters in the network's order; the trained ones as variables, or cut off from them.
    fn parameters(&self, trained: impl Fn(&Var) -> Tensor) -> Vec<Tensor> {
        self.frozen.iter().cloned().chain(self.variables.iter().map(trained)).collect()
    }

    /// Adds the gradients of `weight * loss`; gives the loss.
    fn backward(&mut self, batch: &TokenBatch, weight: f64) -> CandleResult<f32> {
        let seed = Some(self.dropout_seed());
        self.passes += 1;
        let parameters = self.parameters(|variable| variable.as_tensor().clone());
        let pass = self.network.pass(&parameters, batch, seed);
        let (variables, gradients) = (&self.variables, &mut self.gradients);
        let loss = if self.layer_by_layer {
            let parameters: Vec<_> = parameters.iter().map(Tensor::detach).collect();
            let detached = self.network.pass(&parameters, batch, seed);
            let blocks = self.network.architecture().blocks.len();
            backward::layer_by_layer(&pass, &detached, blocks, variables, gradients, weight)?
        } else {
            backward::through_one_graph(&pass, variables, gradients, weight)?
        };
        self.gradients.require_all(&self.variables)?;
        Ok(loss)
    }

    /// The prefix as it is stored, with its projection folded.
    fn stored_prefix(&self) -> CandleResult<Option<Tensor>> {
        self.network.prefix(&self.parameters(Var::as_detached_tensor))
    }

    /// Different in every pass of every step, and the same after a restart.
    fn dropout_seed(&self) -> u64 {
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.adamw.steps << 20) ^ self.passes
    }

    /// The loss alone. Detached parameters build no graph, so activations go as soon as they are used.
    fn forward(&self, batch: &TokenBatch) -> CandleResult<f32> {
        let parameters = self.parameters(Var::as_detached_tensor);
        self.network.pass(&parameters, batch, None).loss()?.to_scalar()
    }
}

/// The parameters of the base.
fn read_all(architecture: &Architecture, checkpoint: &Checkpoint) -> Result<Vec<Tensor>> {
    let read = |(index, spec)| tensor((spec, checkpoint.read(architecture, Parameter(index))?));
    architecture.parameters.iter().enumerate().map(read).collect()
}

fn tensor((spec, values): (&ParameterSpec, Vec<f32>)) -> Result<Tensor> {
    Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
        .map_err(internal("load the model"))
}

/// Tensors of which nobody else holds the storage, as variables.
fn variables(tensors: Vec<Tensor>) -> Result<Vec<Var>> {
    tensors
        .into_iter()
        .map(|tensor| Var::from_tensor(&tensor).map_err(internal("load the model")))
        .collect()
}

fn batch_loss(mean: f32, batch: &TokenBatch) -> BatchLoss {
    BatchLoss { mean: f64::from(mean), tokens: batch.targets.len() as u64 }
}

/// candle's errors past the checks are ours.
fn failed(e: candle_core::Error) -> Error {
    internal(OPERATION)(e)
}

impl TrainSession for Session {
    fn parameters(&self) -> ParameterCounts {
        let trainable = self.variables.iter().map(|variable| variable.elem_count() as u64).sum();
        let added = self.network.adaptation().size();
        ParameterCounts { trainable, total: self.network.architecture().size() + added }
    }

    fn context_length(&self) -> usize {
        self.network.context_length()
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
        self.passes = 0;
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
        self.passes = 0;
        Ok(())
    }

    fn export(&self, directory: &Path) -> Result<()> {
        let architecture = self.network.architecture();
        let Some(added) = &self.added else {
            let trained: Vec<_> = self.variables.iter().map(Var::as_tensor).collect();
            return state::with_entries(&self.names, &trained, |entries| {
                export::model(&self.base, entries, directory)
            });
        };
        let adapter = |names: &[String], tensors: &[&Tensor]| {
            state::with_entries(names, tensors, |entries| {
                export::adapter(&self.base, architecture, &added.config, entries, directory)
            })
        };
        match self.pool.install(|| self.stored_prefix()).map_err(failed)? {
            Some(prefix) => adapter(&[STORED_PREFIX.to_owned()], &[&prefix]),
            None => {
                let trained: Vec<_> = self.variables.iter().map(Var::as_tensor).collect();
                adapter(&self.names, &trained)
            }
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("base", &self.base.path())
            .field("steps", &self.adamw.steps)
            .finish_non_exhaustive()
    }
}
