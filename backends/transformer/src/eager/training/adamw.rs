//! AdamW (Loshchilov and Hutter 2019) with state that can be saved.
//!
//! Weights and moments lie in long vectors, of what decays and of what does not, so that a step is a handful
//! of operations however many parameters there are.

use detoxlm_core::Precision;
use detoxlm_core::training::OptimizerConfig;

use crate::architecture::ParameterSpec;
use crate::eager::place::Place;
use crate::eager::tensor::{AdamWStep, Computed, Made, Moments, Tensor};

/// Where a parameter lies.
#[derive(Debug)]
struct Slice {
    group: usize,
    start: usize,
    length: usize,
    shape: Vec<usize>,
}

/// Parameters of one decay, one after another; nothing where there are none.
#[derive(Debug)]
struct Group<T> {
    moments: Option<Moments<T>>,
    decay: f64,
}

/// Trained parameters and the running means of their gradients.
#[derive(Debug)]
pub(super) struct AdamW<P: Place> {
    config: OptimizerConfig,
    place: P,
    slices: Vec<Slice>,
    /// What decays, and what does not.
    groups: [Group<P::Tensor>; 2],
    /// Steps taken.
    pub(super) steps: u64,
}

/// The numbers of every parameter, in their order.
pub(super) struct State {
    pub(super) weights: Vec<Vec<f32>>,
    pub(super) first_moments: Vec<Vec<f32>>,
    pub(super) second_moments: Vec<Vec<f32>>,
}

impl<P: Place> AdamW<P> {
    /// Parameters that begin with these values.
    pub(super) fn new(
        config: OptimizerConfig,
        specs: &[ParameterSpec],
        values: &[Vec<f32>],
        place: P,
    ) -> Computed<Self, P> {
        let mut lengths = [0, 0];
        let slices: Vec<_> = specs
            .iter()
            .map(|spec| {
                // Biases and the scales of norms are vectors; decay is for matrices.
                let group = usize::from(spec.shape.len() <= 1);
                let (start, length) = (lengths[group], spec.shape.iter().product());
                lengths[group] += length;
                Slice { group, start, length, shape: spec.shape.clone() }
            })
            .collect();
        let decays = [config.weight_decay, 0.0];
        let groups = decays.map(|decay| Group { moments: None, decay });
        let mut adamw = Self { config, place, slices, groups, steps: 0 };
        for (index, length) in lengths.into_iter().enumerate().filter(|(_, length)| *length > 0) {
            let weights = adamw.vector(index, values)?;
            let zeros = || adamw.place.zeros(&[length], Precision::F32);
            let (first, second) = (zeros()?, zeros()?);
            adamw.groups[index].moments = Some(Moments { weights, first, second });
        }
        Ok(adamw)
    }

    /// The parameters as they are now; gradients flow into them, and none is there yet.
    pub(super) fn variables(&self) -> Computed<Vec<P::Tensor>, P> {
        let variable = |slice: &Slice| -> Computed<Option<P::Tensor>, P> {
            let Some(moments) = &self.groups[slice.group].moments else { return Ok(None) };
            let values = moments.weights.narrow(0, slice.start, slice.length)?;
            values.reshape(&slice.shape)?.leaf().map(Some)
        };
        self.slices.iter().filter_map(|slice| variable(slice).transpose()).collect()
    }

    /// Updates every parameter by its gradient; gives the gradients' norm before clipping. If that is not
    /// finite, nothing changes.
    ///
    /// Clipping and updating follow PyTorch's `clip_grad_norm_` and `AdamW`.
    pub(super) fn step(&mut self, gradients: &[P::Tensor], learning_rate: f64) -> Computed<f64, P> {
        let of_group = |index: usize| -> Computed<Option<P::Tensor>, P> {
            let parts = self
                .slices
                .iter()
                .zip(gradients)
                .filter(|(slice, _)| slice.group == index)
                .map(|(slice, gradient)| gradient.reshape(&[slice.length]))
                .collect::<Computed<Vec<_>, P>>()?;
            if parts.is_empty() { Ok(None) } else { P::Tensor::cat(&parts, 0).map(Some) }
        };
        let gradients = [of_group(0)?, of_group(1)?];
        let mut squares = 0.0;
        for gradient in gradients.iter().flatten() {
            squares += gradient.sum_of_squares()?;
        }
        let norm = squares.sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        self.steps += 1;
        let step = step_of(&self.config, self.steps, learning_rate, norm);
        for (Group { moments, decay }, gradient) in self.groups.iter_mut().zip(gradients) {
            if let (Some(moments), Some(gradient)) = (moments, gradient) {
                let decay = 1.0 - learning_rate * *decay;
                P::Tensor::adamw(moments, &gradient, &AdamWStep { decay, ..step })?;
            }
        }
        Ok(norm)
    }

    /// All numbers.
    pub(super) fn state(&self) -> Computed<State, P> {
        let read = |of: fn(&Moments<P::Tensor>) -> &P::Tensor| -> Computed<Vec<Vec<f32>>, P> {
            let values = |group: &Group<P::Tensor>| -> Made<Vec<f32>, P::Tensor> {
                group.moments.as_ref().map_or(Ok(Vec::new()), |moments| of(moments).values())
            };
            let groups = [values(&self.groups[0])?, values(&self.groups[1])?];
            let values =
                |slice: &Slice| groups[slice.group][slice.start..][..slice.length].to_vec();
            Ok(self.slices.iter().map(values).collect())
        };
        Ok(State {
            weights: read(|moments| &moments.weights)?,
            first_moments: read(|moments| &moments.first)?,
            second_moments: read(|moments| &moments.second)?,
        })
    }

    /// Takes up from a state of the same parameters.
    pub(super) fn restore(&mut self, steps: u64, state: &State) -> Computed<(), P> {
        for index in 0..self.groups.len() {
            if self.groups[index].moments.is_some() {
                let weights = self.vector(index, &state.weights)?;
                let first = self.vector(index, &state.first_moments)?;
                let second = self.vector(index, &state.second_moments)?;
                self.groups[index].moments = Some(Moments { weights, first, second });
            }
        }
        self.steps = steps;
        Ok(())
    }

    /// What there is of each parameter of a group, one after another.
    fn vector(&self, group: usize, of: &[Vec<f32>]) -> Computed<P::Tensor, P> {
        let members = self.slices.iter().zip(of).filter(|(slice, _)| slice.group == group);
        let values: Vec<f32> = members.flat_map(|(_, values)| values).copied().collect();
        self.place.numbers(&values, &[values.len()], Precision::F32)
    }
}

/// What is the same for every parameter, but for the decay.
fn step_of(config: &OptimizerConfig, steps: u64, rate: f64, norm: f64) -> AdamWStep {
    let &OptimizerConfig { beta1, beta2, epsilon, max_grad_norm, .. } = config;
    // Long before that many steps both powers are 0.
    let steps = i32::try_from(steps).unwrap_or(i32::MAX);
    let clip = if max_grad_norm > 0.0 { (max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
    AdamWStep {
        clip,
        beta1,
        beta2,
        decay: 1.0,
        size: rate / (1.0 - beta1.powi(steps)),
        root_correction: 1.0 / (1.0 - beta2.powi(steps)).sqrt(),
        epsilon,
    }
}
