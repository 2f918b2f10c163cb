//! A model under training.

use std::fmt;
use std::path::Path;

use detoxlm_core::causal_lm::{HfTokenizer, Tokenizer};
use detoxlm_core::training::{BatchLoss, ParameterCounts, TokenBatch, TrainSession, TrainingJob};
use detoxlm_core::{Error, ErrorKind, ModelDirectory, Precision, Result};

use super::adamw::{AdamW, State};
use super::backward::{Batch, Gradient, Gradients, Trainee};
use crate::adapters::{AddedMethod, STORED_PREFIX};
use crate::architecture::{Architecture, Parameter, ParameterSpec};
use crate::checkpoint::Checkpoint;
use crate::eager::inference::{Engine, parameters};
use crate::eager::network::Network;
use crate::eager::place::Place;
use crate::eager::tensor::{Computed, Tensor};
use crate::material::{check_batch, first_tokens, fitting_tokenizer};
use crate::safetensors_file::Entry;
use crate::training_state::{self, Restored, Trained};
use crate::{export, families};

const OPERATION: &str = "train";

/// A base model and what of it, or of what is added to it, is trained.
pub(super) struct Session<P: Place> {
    base: ModelDirectory,
    /// What is added; nothing where the base's own parameters are trained.
    added: Option<AddedMethod>,
    tokenizer: HfTokenizer,
    network: Network<P>,
    /// The base's parameters, unless they are the trained ones.
    frozen: Vec<P::Tensor>,
    /// Of the trained parameters; names as in a file.
    specs: Vec<ParameterSpec>,
    variables: Vec<P::Tensor>,
    gradients: Gradients<P>,
    adamw: AdamW<P>,
    layer_by_layer: bool,
    seed: u64,
    /// Backward passes since the last step.
    passes: u64,
}

impl<P: Place> Session<P> {
    pub(super) fn open(job: &TrainingJob, place: P) -> Result<Self> {
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
                        let exact = place.with_precision(Precision::F32);
                        Engine::load(architecture.clone(), &checkpoint, exact)?
                            .keys_and_values(&tokens)?
                    }
                };
                let values = added.initial_values(job.seed, real);
                let precision_of =
                    |parameter| multiplied_in(&architecture, parameter, place.precision());
                let frozen = parameters(&architecture, &checkpoint, &place, precision_of)?;
                (frozen, added.adaptation.parameters.clone(), values)
            }
        };
        let adaptation = added.as_ref().map(|added| added.adaptation.clone()).unwrap_or_default();
        let load = || -> Computed<_, P> {
            let network = Network::new(architecture, adaptation, place.clone())?;
            let adamw = AdamW::new(job.config.optimizer.clone(), &specs, &values, place)?;
            let variables = adamw.variables()?;
            Ok((network, adamw, variables))
        };
        let (network, adamw, variables) = load().map_err(P::failed("load the model"))?;
        Ok(Self {
            base,
            added,
            tokenizer,
            network,
            frozen,
            specs,
            variables,
            gradients: Gradients::<P>::default(),
            adamw,
            layer_by_layer: job.config.gradient_checkpointing,
            seed: job.seed,
            passes: 0,
        })
    }

    fn check(&self, batch: &TokenBatch) -> Result<()> {
        check_batch(batch, self.context_length(), self.vocabulary())
    }

    /// All parameters in the network's order, the trained ones as `trained` gives them.
    fn parameters(&self, trained: impl Fn(&P::Tensor) -> P::Tensor) -> Vec<P::Tensor> {
        self.frozen.iter().cloned().chain(self.variables.iter().map(trained)).collect()
    }

    /// Parameters that build no graph.
    fn detached_parameters(&self) -> Vec<P::Tensor> {
        self.parameters(Tensor::detach)
    }

    /// Adds the gradients of `weight * loss`; gives the loss.
    fn backward(&mut self, batch: &TokenBatch, weight: f64) -> Computed<f64, P> {
        let seed = Some(self.dropout_seed());
        self.passes += 1;
        let parameters = self.parameters(Clone::clone);
        let detached = self.layer_by_layer.then(|| self.detached_parameters());
        let Self { network, variables, gradients, .. } = self;
        let batch = Batch::upload(batch, network)?;
        let trainee = Trainee::new(network, &parameters, &batch, seed)?;
        let to = Gradient { weight, variables, sums: gradients };
        let Some(detached) = detached else { return trainee.through_one_graph(to) };
        let detached = Trainee::new(network, &detached, &batch, seed)?;
        trainee.layer_by_layer(&detached, to)
    }

    /// The loss alone.
    fn forward(&self, batch: &TokenBatch) -> Computed<f64, P> {
        let batch = Batch::upload(batch, &self.network)?;
        Trainee::new(&self.network, &self.detached_parameters(), &batch, None)?.loss()
    }

    /// Updates the parameters by what has been added up; gives the gradients' norm.
    fn update(&mut self, learning_rate: f64) -> Computed<f64, P> {
        let Self { variables, gradients, adamw, .. } = self;
        let mut taken = Vec::with_capacity(variables.len());
        for variable in variables {
            taken.extend(variable.gradient(gradients)?);
        }
        let norm = adamw.step(&taken, learning_rate)?;
        self.renew()?;
        Ok(norm)
    }

    /// Takes the parameters as the optimizer has them, without gradients.
    fn renew(&mut self) -> Computed<(), P> {
        self.variables = self.adamw.variables()?;
        self.gradients = Gradients::<P>::default();
        self.passes = 0;
        Ok(())
    }

    /// Different in every pass of every step, and the same after a restart.
    fn dropout_seed(&self) -> u64 {
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.adamw.steps << 20) ^ self.passes
    }

    /// That every parameter has a gradient: one that none reaches would silently stay as it was.
    fn require_gradients(&self) -> Result<()> {
        let unreached = |(_, variable): &(_, &P::Tensor)| !variable.is_reached(&self.gradients);
        match self.specs.iter().zip(&self.variables).find(unreached) {
            None => Ok(()),
            Some((spec, _)) => {
                let message = format!("no gradient reaches {}", spec.name);
                Err(Error::new(ErrorKind::Internal, P::COMPONENT, OPERATION, message))
            }
        }
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
fn multiplied_in(
    architecture: &Architecture,
    parameter: Parameter,
    precision: Precision,
) -> Precision {
    let is_matrix = architecture.parameters[parameter.0].shape.len() > 1;
    let is_embedding =
        parameter == architecture.embedding || Some(parameter) == architecture.position_embedding;
    if is_matrix && !is_embedding { precision } else { Precision::F32 }
}

fn batch_loss(mean: f64, batch: &TokenBatch) -> BatchLoss {
    BatchLoss { mean, tokens: batch.targets.len() as u64 }
}

impl<P: Place> TrainSession for Session<P> {
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
        let place = self.network.place.clone();
        let mean = place.run(|| self.backward(batch, weight)).map_err(P::failed(OPERATION))?;
        self.require_gradients()?;
        Ok(batch_loss(mean, batch))
    }

    fn step(&mut self, learning_rate: f64) -> Result<f64> {
        let place = self.network.place.clone();
        place.run(|| self.update(learning_rate)).map_err(P::failed("update the model"))
    }

    fn evaluate(&self, batch: &TokenBatch) -> Result<BatchLoss> {
        self.check(batch)?;
        let mean = self.network.place.run(|| self.forward(batch)).map_err(P::failed(OPERATION))?;
        Ok(batch_loss(mean, batch))
    }

    fn save(&self, directory: &Path) -> Result<()> {
        let state = self.adamw.state().map_err(P::failed("write a checkpoint"))?;
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
        let restored = self.adamw.restore(steps, &state).and_then(|()| self.renew());
        restored.map_err(P::failed("restore a checkpoint"))
    }

    fn export(&self, directory: &Path) -> Result<()> {
        let read = P::failed("read the parameters");
        let architecture = &self.network.architecture;
        let Some(added) = &self.added else {
            let values = self.adamw.state().map_err(read)?.weights;
            return export::model(&self.base, self.entries(&values), directory);
        };
        let adapter = |entries| -> Result<()> {
            export::adapter(&self.base, architecture, &added.config, entries, directory)
        };
        let prefix = self.network.prefix(&self.detached_parameters()).map_err(&read)?;
        match prefix {
            Some(prefix) => {
                let values = prefix.values().map_err(&read)?;
                let shape = [added.real_tokens(), values.len() / added.real_tokens()];
                let entry = Entry::Tensor { shape: &shape, values: &values };
                adapter(vec![(STORED_PREFIX.to_owned(), entry)])
            }
            None => adapter(self.entries(&self.adamw.state().map_err(&read)?.weights)),
        }
    }
}

impl<P: Place> fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("base", &self.base.path())
            .field("steps", &self.adamw.steps)
            .finish_non_exhaustive()
    }
}
