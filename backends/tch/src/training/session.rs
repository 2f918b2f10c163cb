//! A model under training.

use std::fmt;
use std::path::Path;

use detoxlm_core::causal_lm::{HfTokenizer, Tokenizer};
use detoxlm_core::training::{BatchLoss, ParameterCounts, TokenBatch, TrainSession, TrainingJob};
use detoxlm_core::{ErrorKind, ModelDirectory, Result};
use detoxlm_transformer::adapters::{AddedMethod, STORED_PREFIX};
use detoxlm_transformer::architecture::{Architecture, Parameter, ParameterSpec};
use detoxlm_transformer::checkpoint::Checkpoint;
use detoxlm_transformer::material::{check_batch, first_tokens, fitting_tokenizer};
use detoxlm_transformer::safetensors_file::Entry;
use detoxlm_transformer::training_state::{self, Restored, Trained};
use detoxlm_transformer::{export, families};
use tch::{Kind, Tensor, no_grad};

use super::adamw::{AdamW, State};
use super::backward::{Batch, Trainee};
use crate::error::{Computed, error, failed};
use crate::inference::{Engine, parameters};
use crate::network::Network;
use crate::place::Place;
use crate::tensors::{download, share};

const OPERATION: &str = "train";

/// A base model and what of it, or of what is added to it, is trained.
pub(super) struct Session {
    base: ModelDirectory,
    /// What is added; nothing where the base's own parameters are trained.
    added: Option<AddedMethod>,
    tokenizer: HfTokenizer,
    network: Network,
    /// The base's parameters, unless they are the trained ones.
    frozen: Vec<Tensor>,
    /// Of the trained parameters; names as in a file.
    specs: Vec<ParameterSpec>,
    variables: Vec<Tensor>,
    adamw: AdamW,
    layer_by_layer: bool,
    seed: u64,
    /// Backward passes since the last step.
    passes: u64,
}

impl Session {
    pub(super) fn open(job: &TrainingJob, place: Place) -> Result<Self> {
        let base = ModelDirectory::open(&job.base)?;
        let architecture = families::describe(&base)?;
        // Before the weights are read: what is impossible is refused at once.
        let added = AddedMethod::new(&architecture, &job.method)?;
        let tokenizer = fitting_tokenizer(&base, &architecture)?;
        let checkpoint = Checkpoint::open(&base, &architecture)?;
        let (frozen, specs, values) = match &added {
            None => {
                let specs: Vec<_> = architecture
                    .parameters
                    .iter()
                    .zip(checkpoint.names())
                    .map(|(spec, name)| ParameterSpec { name: name.clone(), ..spec.clone() })
                    .collect();
                let read = |index| checkpoint.read(&architecture, Parameter(index));
                (
                    Vec::new(),
                    specs,
                    (0..architecture.parameters.len()).map(read).collect::<Result<_>>()?,
                )
            }
            Some(added) => {
                let real = match added.real_tokens() {
                    0 => Vec::new(),
                    count => {
                        let tokens = first_tokens(&job.corpus, &tokenizer, count)?;
                        // In full precision, whatever is trained in: it is done once.
                        let exact = Place { kind: Kind::Float, ..place };
                        Engine::load(architecture.clone(), &checkpoint, exact)?
                            .keys_and_values(&tokens)?
                    }
                };
                let values = added.initial_values(job.seed, real);
                let kind_of = |parameter| multiplied_in(&architecture, parameter, place);
                let frozen = parameters(&architecture, &checkpoint, place, kind_of)?;
                (frozen, added.adaptation.parameters.clone(), values)
            }
        };
        let adaptation = added.as_ref().map(|added| added.adaptation.clone()).unwrap_or_default();
        let load = || -> Computed<_> {
            let network = Network::new(architecture, adaptation, place)?;
            let adamw = AdamW::new(job.config.optimizer.clone(), &specs, &values, place)?;
            let variables = adamw.variables()?;
            Ok((network, adamw, variables))
        };
        let (network, adamw, variables) = load().map_err(failed("load the model"))?;
        Ok(Self {
            base,
            added,
            tokenizer,
            network,
            frozen,
            specs,
            variables,
            adamw,
            layer_by_layer: job.config.gradient_checkpointing,
            seed: job.seed,
            passes: 0,
        })
    }

    fn check(&self, batch: &TokenBatch) -> Result<()> {
        check_batch(batch, self.context_length(), self.vocabulary())
    }

    /// All parameters in the network's order.
    fn all_parameters(&self) -> Vec<Tensor> {
        let mut parameters = share(&self.frozen);
        parameters.extend(self.variables.iter().map(Tensor::shallow_clone));
        parameters
    }

    /// Calls `with` with a pass over a batch.
    fn with_pass<R>(
        &self,
        batch: &TokenBatch,
        seed: Option<u64>,
        with: impl FnOnce(&Trainee<'_>) -> Computed<R>,
    ) -> Computed<R> {
        let (network, parameters) = (&self.network, self.all_parameters());
        let batch = Batch::upload(batch, network)?;
        let pass = network.pass(&parameters, &batch.positions, seed)?;
        with(&Trainee { network, parameters: &parameters, pass, batch: &batch })
    }

    /// Different in every pass of every step, and the same after a restart.
    fn dropout_seed(&self) -> u64 {
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.adamw.steps << 20) ^ self.passes
    }

    /// That every parameter has a gradient: one that none reaches would silently stay as it was.
    fn require_gradients(&self) -> Result<()> {
        for (spec, variable) in self.specs.iter().zip(&self.variables) {
            if !variable.f_grad().map_err(failed(OPERATION))?.defined() {
                let message = format!("no gradient reaches {}", spec.name);
                return Err(error(ErrorKind::Internal, OPERATION, message));
            }
        }
        Ok(())
    }

    /// Parameters without gradients, over the memory of the trained ones.
    fn renew(&mut self) -> Result<()> {
        self.variables = self.adamw.variables().map_err(failed(OPERATION))?;
        self.passes = 0;
        Ok(())
    }

    fn entries<'a>(&'a self, values: &'a [Vec<f32>]) -> Vec<(String, Entry<'a>)> {
        let entry = |(spec, values): (&'a ParameterSpec, &'a Vec<f32>)| {
            (spec.name.clone(), Entry::Tensor { shape: &spec.shape, values })
        };
        self.specs.iter().zip(values).map(entry).collect()
    }
}

/// The numbers in which a parameter that is not trained is kept: a matrix in those in which it is
/// multiplied, what the residual stream is made of and normalised by in `f32`.
fn multiplied_in(architecture: &Architecture, parameter: Parameter, place: Place) -> Kind {
    let is_matrix = architecture.parameters[parameter.0].shape.len() > 1;
    let is_embedding =
        parameter == architecture.embedding || Some(parameter) == architecture.position_embedding;
    if is_matrix && !is_embedding { place.kind } else { Kind::Float }
}

fn batch_loss(mean: f64, batch: &TokenBatch) -> BatchLoss {
    BatchLoss { mean, tokens: batch.targets.len() as u64 }
}

impl TrainSession for Session {
    fn parameters(&self) -> ParameterCounts {
        let trainable = self.specs.iter().map(ParameterSpec::size).sum();
        let added = self.network.adaptation.size();
        ParameterCounts { trainable, total: self.network.architecture.size() + added }
    }

    fn context_length(&self) -> usize {
        self.network.context_length()
    }

    fn vocabulary(&self) -> usize {
        self.network.architecture.vocabulary
    }

    fn tokenizer(&self) -> &dyn Tokenizer {
        &self.tokenizer
    }

    fn accumulate(&mut self, batch: &TokenBatch, weight: f64) -> Result<BatchLoss> {
        self.check(batch)?;
        let seed = Some(self.dropout_seed());
        self.passes += 1;
        let mean = self
            .with_pass(batch, seed, |trainee| match self.layer_by_layer {
                true => trainee.layer_by_layer(weight),
                false => trainee.through_one_graph(weight),
            })
            .map_err(failed(OPERATION))?;
        self.require_gradients()?;
        Ok(batch_loss(mean, batch))
    }

    fn step(&mut self, learning_rate: f64) -> Result<f64> {
        let Self { adamw, variables, .. } = self;
        let norm =
            no_grad(|| adamw.step(variables, learning_rate)).map_err(failed("update the model"))?;
        self.renew()?;
        Ok(norm)
    }

    fn evaluate(&self, batch: &TokenBatch) -> Result<BatchLoss> {
        self.check(batch)?;
        let mean = no_grad(|| self.with_pass(batch, None, |trainee| trainee.loss()))
            .map_err(failed(OPERATION))?;
        Ok(batch_loss(mean, batch))
    }

    fn save(&self, directory: &Path) -> Result<()> {
        let state = self.adamw.state().map_err(failed("write a checkpoint"))?;
        let moments = state.first_moments.iter().zip(&state.second_moments);
        let trained: Vec<_> = self
            .specs
            .iter()
            .zip(&state.weights)
            .zip(moments)
            .map(|((spec, weight), (first_moment, second_moment))| Trained {
                name: &spec.name,
                shape: &spec.shape,
                weight,
                first_moment,
                second_moment,
            })
            .collect();
        training_state::save(directory, self.adamw.steps, &trained)
    }

    fn restore(&mut self, directory: &Path) -> Result<()> {
        let parameters: Vec<_> =
            self.specs.iter().map(|spec| (spec.name.as_str(), spec.shape.as_slice())).collect();
        let Restored { steps, weights, first_moments, second_moments } =
            training_state::restore(directory, &parameters)?;
        let state = State { weights, first_moments, second_moments };
        no_grad(|| self.adamw.restore(steps, &state)).map_err(failed("restore a checkpoint"))?;
        self.renew()
    }

    fn export(&self, directory: &Path) -> Result<()> {
        let read = failed("read the parameters");
        let architecture = &self.network.architecture;
        let Some(added) = &self.added else {
            let values = self.adamw.state().map_err(read)?.weights;
            return export::model(&self.base, self.entries(&values), directory);
        };
        let adapter = |entries| -> Result<()> {
            export::adapter(&self.base, architecture, &added.config, entries, directory)
        };
        let prefix = no_grad(|| self.network.prefix(&self.all_parameters())).map_err(&read)?;
        match prefix {
            Some(prefix) => {
                let values = download(&prefix).map_err(&read)?;
                let shape = [added.real_tokens(), values.len() / added.real_tokens()];
                let entry = Entry::Tensor { shape: &shape, values: &values };
                adapter(vec![(STORED_PREFIX.to_owned(), entry)])
            }
            None => adapter(self.entries(&self.adamw.state().map_err(&read)?.weights)),
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
