//! The network under training: its weights, their mean, the optimiser, and what is kept of them.

use std::path::Path;

use candle_core::{Device, Result as CandleResult, Tensor, Var};
use detoxlm_core::distillation::DistillationConfig;
use detoxlm_core::training::OptimizerConfig;
use detoxlm_core::{ErrorKind, Result};

use super::average::Average;
use super::examples::Batch;
use super::network::{COUNT, Drops, Sizes, Spec, Texts, VECTORS, judge};
use super::{heads, loss};
use crate::error::{error, internal};
use crate::safetensors_file::{self, Entry};
use crate::training::adamw::AdamW;
use crate::training::gradients::Gradients;
use crate::training::state;
use crate::weights::Weights;

/// Where what sources see of their own is.
const OWN: usize = COUNT + heads::OWN;

const OPERATION: &str = "train a classifier";
const AVERAGE: &str = "average.safetensors";
const LOSS: &str = "loss";

/// Decay of matrices, and of how a source reads the scale.
const DECAY: f64 = 0.01;
const HEAD_DECAY: f64 = 0.1;

/// Texts whose opinions are asked for at a time.
const CHUNK: usize = 256;

fn optimizer() -> OptimizerConfig {
    OptimizerConfig { beta1: 0.9, beta2: 0.99, weight_decay: DECAY, ..OptimizerConfig::default() }
}

pub(super) struct Trainee {
    sizes: Sizes,
    specs: Vec<Spec>,
    /// The network's parameters, then those of the heads.
    pub(super) variables: Vec<Var>,
    adamw: AdamW,
    average: Average,
    seed: u64,
    /// Of the last step.
    pub(super) loss: f64,
}

impl Trainee {
    /// A network with these values, and heads for so many other sources.
    pub(super) fn new(
        sizes: Sizes,
        values: Vec<Vec<f32>>,
        others: usize,
        config: &DistillationConfig,
        seed: u64,
    ) -> Result<Self> {
        let mut specs: Vec<Spec> = sizes.specs().into();
        specs.extend(heads::specs(&sizes, others));
        let heads = specs[COUNT..].iter().map(|spec| vec![0.0; spec.elements()]);
        let variables = specs
            .iter()
            .zip(values.into_iter().chain(heads))
            .map(|(spec, values)| {
                Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
                    .and_then(|tensor| Var::from_tensor(&tensor))
                    .map_err(internal(OPERATION))
            })
            .collect::<Result<Vec<_>>>()?;
        let decay = |(parameter, variable): (usize, &Var)| match parameter {
            // The vector of a token that is rarely met must not fade meanwhile.
            VECTORS => 0.0,
            OWN => config.own_decay,
            COUNT.. => HEAD_DECAY,
            _ if variable.rank() > 1 => DECAY,
            _ => 0.0,
        };
        let decays = variables.iter().enumerate().map(decay).collect();
        let shipped = variables[..COUNT].iter().map(Var::as_tensor);
        Ok(Self {
            average: Average::new(config.average, shipped).map_err(internal(OPERATION))?,
            adamw: AdamW::with_decays(optimizer(), &variables, decays),
            sizes,
            specs,
            variables,
            seed,
            loss: 0.0,
        })
    }

    /// Steps taken.
    pub(super) const fn steps(&self) -> u64 {
        self.adamw.steps
    }

    /// The weights that are shipped: the mean.
    pub(super) fn weights(&self) -> &[Vec<f32>] {
        &self.average.values
    }

    /// One step; an error of the kind [`ErrorKind::Diverged`] when a number is not finite, and then
    /// nothing changes.
    pub(super) fn step(&mut self, batch: &Batch, rate: f64) -> Result<()> {
        let (loss, norm) = self.try_step(batch, rate).map_err(internal(OPERATION))?;
        if !loss.is_finite() || !norm.is_finite() {
            let step = self.steps() + 1;
            let message = format!("step {step}: the loss is {loss}, the gradient's norm {norm}");
            return Err(error(ErrorKind::Diverged, OPERATION, message)
                .with_key("learning_rate")
                .with_remedy("lower it"));
        }
        self.loss = loss;
        Ok(())
    }

    fn try_step(&mut self, batch: &Batch, rate: f64) -> CandleResult<(f64, f64)> {
        let (loss, gradients) = self.gradients(batch)?;
        let norm = self.adamw.step(&self.variables, &gradients, rate)?;
        if loss.is_finite() && norm.is_finite() {
            let shipped = self.variables[..COUNT].iter().map(Var::as_tensor);
            self.average.add(self.adamw.steps, shipped)?;
        }
        Ok((loss, norm))
    }

    /// The loss of a batch, and the gradient of every parameter.
    pub(super) fn gradients(&self, batch: &Batch) -> CandleResult<(f64, Gradients)> {
        let parameters: Vec<Tensor> =
            self.variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let (network, heads) = parameters.split_at(COUNT);
        let drops = Drops::new(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.steps());
        let judged = judge(&self.sizes, network, &batch.texts, Some(drops))?;
        let theirs = heads::read(&judged, heads, &batch.sources)?;
        let loss = loss::cross_entropy(&theirs, &batch.targets)?;
        let mut gradients = Gradients::none(self.variables.len());
        gradients.add(&self.variables, &mut loss.backward()?)?;
        gradients.require_all(&self.variables)?;
        Ok((f64::from(loss.to_scalar::<f32>()?), gradients))
    }

    /// Adds what the mean of the weights makes of texts, in [0, 1], text by text and attribute by
    /// attribute.
    pub(super) fn add_opinions(&self, texts: &[Vec<u32>], sums: &mut [Vec<f32>]) -> Result<()> {
        let weights =
            self.specs.iter().zip(&self.average.values).map(|(spec, values)| {
                Tensor::from_slice(values, spec.shape.as_slice(), &Device::Cpu)
            });
        let weights = weights.collect::<CandleResult<Vec<_>>>().map_err(internal(OPERATION))?;
        for (texts, sums) in texts.chunks(CHUNK).zip(sums.chunks_mut(CHUNK)) {
            let lengths = texts.iter().map(Vec::len).collect();
            let texts = Texts { tokens: texts.concat(), lengths };
            let logits = judge(&self.sizes, &weights, &texts, None)
                .and_then(|judged| judged.logits.to_vec2::<f32>())
                .map_err(internal(OPERATION))?;
            for (sums, logits) in sums.iter_mut().zip(logits) {
                for (sum, logit) in sums.iter_mut().zip(logits) {
                    *sum += 1.0 / (1.0 + (-logit).exp());
                }
            }
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.specs.iter().map(|spec| spec.name.clone()).collect()
    }

    /// Writes all that the next steps depend on.
    pub(super) fn save(&self, directory: &Path) -> Result<()> {
        state::save(directory, &self.names(), &self.variables, &self.adamw)?;
        let mut entries = vec![(LOSS.to_owned(), Entry::Counter(self.loss.to_bits()))];
        for (spec, values) in self.specs.iter().zip(&self.average.values) {
            entries.push((spec.name.clone(), Entry::Tensor { shape: &spec.shape, values }));
        }
        safetensors_file::write(&directory.join(AVERAGE), entries)
    }

    /// Brings back what [`Trainee::save`] wrote.
    pub(super) fn restore(&mut self, directory: &Path) -> Result<()> {
        state::restore(directory, &self.names(), &self.variables, &mut self.adamw)?;
        let file = Weights::open(&[directory.join(AVERAGE)])?;
        let read = |spec: &Spec| file.read(&spec.name, &spec.shape);
        self.average.values = self.specs[..COUNT].iter().map(read).collect::<Result<_>>()?;
        self.loss = f64::from_bits(file.read_counter(LOSS)?);
        Ok(())
    }
}
