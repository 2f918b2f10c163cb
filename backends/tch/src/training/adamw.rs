//! AdamW (Loshchilov and Hutter 2019), in place and with state that can be saved.
//!
//! Weights and moments lie in two long vectors each, of what decays and of what does not, so that a step
//! is a handful of operations however many parameters there are; the parameters are views.

use detoxlm_core::training::OptimizerConfig;
use detoxlm_transformer::architecture::ParameterSpec;
use tch::{Kind, Tensor};

use crate::error::Computed;
use crate::place::Place;
use crate::tensors::{download, size, sizes};

/// Where a parameter lies.
#[derive(Debug)]
struct Slice {
    group: usize,
    start: usize,
    length: usize,
    shape: Vec<i64>,
}

/// Parameters of one decay, one after another.
#[derive(Debug)]
struct Group {
    weights: Tensor,
    first: Tensor,
    second: Tensor,
    decay: f64,
}

/// Trained parameters and the running means of their gradients.
#[derive(Debug)]
pub(super) struct AdamW {
    config: OptimizerConfig,
    slices: Vec<Slice>,
    /// What decays, and what does not.
    groups: [Group; 2],
    /// Steps taken.
    pub(super) steps: u64,
}

/// The numbers of every parameter, in their order.
pub(super) struct State {
    pub(super) weights: Vec<Vec<f32>>,
    pub(super) first_moments: Vec<Vec<f32>>,
    pub(super) second_moments: Vec<Vec<f32>>,
}

impl AdamW {
    /// Parameters that begin with these values.
    pub(super) fn new(
        config: OptimizerConfig,
        specs: &[ParameterSpec],
        values: &[Vec<f32>],
        place: Place,
    ) -> Computed<Self> {
        let mut lengths = [0, 0];
        let slices: Vec<_> = specs
            .iter()
            .map(|spec| {
                // Biases and the scales of norms are vectors; decay is for matrices.
                let group = usize::from(spec.shape.len() <= 1);
                let (start, length) = (lengths[group], spec.shape.iter().product());
                lengths[group] += length;
                Slice { group, start, length, shape: sizes(&spec.shape) }
            })
            .collect();
        let zeros = |length| Tensor::f_zeros([size(length)], (Kind::Float, place.device));
        let group = |length, decay| -> Computed<Group> {
            let (weights, first) = (zeros(length)?, zeros(length)?);
            Ok(Group { weights, first, second: zeros(length)?, decay })
        };
        let groups = [group(lengths[0], config.weight_decay)?, group(lengths[1], 0.0)?];
        let mut adamw = Self { config, slices, groups, steps: 0 };
        adamw.fill(values, |group| &group.weights)?;
        Ok(adamw)
    }

    /// The parameters, sharing their memory; gradients flow into them, and none is there yet.
    pub(super) fn variables(&self) -> Computed<Vec<Tensor>> {
        let variable = |slice: &Slice| {
            let weights = &self.groups[slice.group].weights;
            slice.of(weights)?.f_reshape(&slice.shape)?.f_detach()?.f_set_requires_grad(true)
        };
        self.slices.iter().map(variable).collect()
    }

    /// Updates every parameter by the gradients of `variables`; gives the gradients' norm before
    /// clipping. If that is not finite, nothing changes.
    ///
    /// Clipping and updating follow PyTorch's `clip_grad_norm_` and `AdamW`.
    pub(super) fn step(&mut self, variables: &[Tensor], learning_rate: f64) -> Computed<f64> {
        let mut gradients = Vec::with_capacity(2);
        let mut squares = 0.0;
        for index in 0..self.groups.len() {
            let parts = self
                .slices
                .iter()
                .zip(variables)
                .filter(|(slice, _)| slice.group == index)
                .map(|(_, variable)| variable.f_grad()?.f_flatten(0, -1))
                .collect::<Computed<Vec<_>>>()?;
            if parts.is_empty() {
                gradients.push(None);
                continue;
            }
            let gradient = Tensor::f_cat(&parts, 0)?;
            squares += gradient.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
            gradients.push(Some(gradient));
        }
        let norm = squares.sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        self.steps += 1;
        let factors = Factors::new(&self.config, self.steps, learning_rate, norm);
        for (group, gradient) in self.groups.iter_mut().zip(gradients) {
            if let Some(gradient) = gradient {
                factors.update(group, gradient)?;
            }
        }
        Ok(norm)
    }

    /// All numbers.
    pub(super) fn state(&self) -> Computed<State> {
        let read = |of: fn(&Group) -> &Tensor| -> Computed<Vec<Vec<f32>>> {
            let groups = [download(of(&self.groups[0]))?, download(of(&self.groups[1]))?];
            let values =
                |slice: &Slice| groups[slice.group][slice.start..][..slice.length].to_vec();
            Ok(self.slices.iter().map(values).collect())
        };
        Ok(State {
            weights: read(|group| &group.weights)?,
            first_moments: read(|group| &group.first)?,
            second_moments: read(|group| &group.second)?,
        })
    }

    /// Takes up from a state of the same parameters.
    pub(super) fn restore(&mut self, steps: u64, state: &State) -> Computed<()> {
        self.fill(&state.weights, |group| &group.weights)?;
        self.fill(&state.first_moments, |group| &group.first)?;
        self.fill(&state.second_moments, |group| &group.second)?;
        self.steps = steps;
        Ok(())
    }

    fn fill(&mut self, values: &[Vec<f32>], of: fn(&Group) -> &Tensor) -> Computed<()> {
        for (slice, values) in self.slices.iter().zip(values) {
            let mut place = slice.of(of(&self.groups[slice.group]))?;
            place.f_copy_(&Tensor::f_from_slice(values)?)?;
        }
        Ok(())
    }
}

impl Slice {
    fn of(&self, vector: &Tensor) -> Computed<Tensor> {
        vector.f_narrow(0, size(self.start), size(self.length))
    }
}

/// What is the same for every element.
struct Factors {
    gradient: f64,
    beta1: f64,
    beta2: f64,
    rate: f64,
    step_size: f64,
    root_correction: f64,
    epsilon: f64,
}

impl Factors {
    fn new(config: &OptimizerConfig, steps: u64, rate: f64, norm: f64) -> Self {
        let &OptimizerConfig { beta1, beta2, epsilon, max_grad_norm, .. } = config;
        // Long before that many steps both powers are 0.
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        let clip = if max_grad_norm > 0.0 { (max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        Self {
            gradient: clip,
            beta1,
            beta2,
            rate,
            step_size: rate / (1.0 - beta1.powi(steps)),
            root_correction: 1.0 / (1.0 - beta2.powi(steps)).sqrt(),
            epsilon,
        }
    }

    fn update(&self, group: &mut Group, mut gradient: Tensor) -> Computed<()> {
        let Group { weights, first, second, decay } = group;
        let _ = gradient.f_mul_scalar_(self.gradient)?;
        let _ = first.f_lerp_(&gradient, 1.0 - self.beta1)?;
        let _ = second.f_lerp_(&gradient.f_square_()?, 1.0 - self.beta2)?;
        let mut root = second.f_sqrt()?;
        let _ = root.f_mul_scalar_(self.root_correction)?.f_add_scalar_(self.epsilon)?;
        let _ = weights.f_mul_scalar_(1.0 - self.rate * *decay)?;
        let _ = weights.f_sub_(&first.f_div(&root)?.f_mul_scalar_(self.step_size)?)?;
        Ok(())
    }
}
