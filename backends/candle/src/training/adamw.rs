//! AdamW (Loshchilov and Hutter 2019), in place and with state that can be saved.

use candle_core::{Result, Var};
use detoxlm_core::training::OptimizerConfig;
use rayon::prelude::*;

use super::gradients::{CHUNK, Gradients};
use super::values::{modify, read};

/// Running means of a parameter's gradient and of its square.
#[derive(Debug)]
pub(crate) struct Moments {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

#[derive(Debug)]
pub(crate) struct AdamW {
    config: OptimizerConfig,
    /// The decay of each parameter.
    decays: Vec<f64>,
    /// Steps taken.
    pub(crate) steps: u64,
    /// In the order of the parameters.
    pub(crate) moments: Vec<Moments>,
}

/// What is the same for every element of a parameter.
struct Factors {
    gradient: f32,
    beta1: f32,
    beta2: f32,
    decay: f32,
    step_size: f32,
    root_correction: f32,
    epsilon: f32,
}

impl AdamW {
    pub(crate) fn new(config: OptimizerConfig, variables: &[Var]) -> Self {
        // Biases and the scales of norms are vectors; decay is for matrices.
        let decay = |variable: &Var| if variable.rank() > 1 { config.weight_decay } else { 0.0 };
        let decays = variables.iter().map(decay).collect();
        Self::with_decays(config, variables, decays)
    }

    /// The same with a decay for each parameter in place of the configuration's.
    pub(crate) fn with_decays(
        config: OptimizerConfig,
        variables: &[Var],
        decays: Vec<f64>,
    ) -> Self {
        let moments = variables
            .iter()
            .map(|variable| {
                let zeros = vec![0.0; variable.elem_count()];
                Moments { first: zeros.clone(), second: zeros }
            })
            .collect();
        Self { config, decays, steps: 0, moments }
    }

    /// Updates every parameter; returns the gradients' norm before clipping. If that is not finite,
    /// nothing changes.
    ///
    /// Clipping and updating follow PyTorch's `clip_grad_norm_` and `AdamW`.
    pub(crate) fn step(
        &mut self,
        variables: &[Var],
        gradients: &Gradients,
        learning_rate: f64,
    ) -> Result<f64> {
        let norm = gradients.norm()?;
        if !norm.is_finite() {
            return Ok(norm);
        }
        self.steps += 1;
        for (index, (variable, moments)) in variables.iter().zip(&mut self.moments).enumerate() {
            let Some(gradient) = gradients.get(index) else { continue };
            let decay = self.decays.get(index).copied().unwrap_or_default();
            let factors = Factors::new(&self.config, self.steps, learning_rate, norm, decay);
            read(gradient, |gradient| {
                modify(variable, |weights| factors.update(weights, moments, gradient))
            })??;
        }
        Ok(norm)
    }
}

impl Factors {
    fn new(config: &OptimizerConfig, steps: u64, rate: f64, norm: f64, decay: f64) -> Self {
        let &OptimizerConfig { beta1, beta2, epsilon, max_grad_norm, .. } = config;
        // Long before that many steps both powers are 0.
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        let clip = if max_grad_norm > 0.0 { (max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        Self {
            gradient: clip as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            decay: (1.0 - rate * decay) as f32,
            step_size: (rate / (1.0 - beta1.powi(steps))) as f32,
            root_correction: (1.0 / (1.0 - beta2.powi(steps)).sqrt()) as f32,
            epsilon: epsilon as f32,
        }
    }

    fn update(&self, weights: &mut [f32], moments: &mut Moments, gradient: &[f32]) {
        weights
            .par_chunks_mut(CHUNK)
            .zip(moments.first.par_chunks_mut(CHUNK))
            .zip(moments.second.par_chunks_mut(CHUNK))
            .zip(gradient.par_chunks(CHUNK))
            .for_each(|(((weights, first), second), gradient)| {
                for (((weight, first), second), gradient) in
                    weights.iter_mut().zip(first).zip(second).zip(gradient)
                {
                    let gradient = gradient * self.gradient;
                    *first = self.beta1 * *first + (1.0 - self.beta1) * gradient;
                    *second = self.beta2 * *second + (1.0 - self.beta2) * gradient * gradient;
                    let root = second.sqrt() * self.root_correction + self.epsilon;
                    *weight = *weight * self.decay - self.step_size * *first / root;
                }
            });
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    const CONFIG: OptimizerConfig = OptimizerConfig {
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay: 0.1,
        max_grad_norm: 1.0,
    };

    /// A matrix and a vector, and gradients of them that `scale` multiplies.
    fn problem(scale: f64) -> (Vec<Var>, Gradients) {
        let device = &Device::Cpu;
        let matrix = Var::from_vec(vec![1_f32, -2.0, 3.0, 0.5], (2, 2), device).unwrap();
        let vector = Var::from_vec(vec![1_f32, 2.0], 2, device).unwrap();
        let along = Tensor::new(&[[0.3_f32, -0.4], [1.2, 0.0]], device).unwrap();
        let loss = (matrix.as_tensor() * along).unwrap().sum_all().unwrap();
        let loss = (loss + vector.sum_all().unwrap()).unwrap();
        let mut gradients = Gradients::none(2);
        let variables = vec![matrix, vector];
        let mut store = (loss * scale).unwrap().backward().unwrap();
        gradients.add(&variables, &mut store).unwrap();
        (variables, gradients)
    }

    fn values(variable: &Var) -> Vec<f32> {
        variable.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn steps_are_those_of_the_formula() {
        let (variables, gradients) = problem(1.0);
        let mut adamw = AdamW::new(CONFIG, &variables);
        // The same in f64, of the matrix's third element and the vector's first.
        let norm = (0.3_f64.powi(2) + 0.4_f64.powi(2) + 1.2_f64.powi(2) + 2.0).sqrt();
        let (mut matrix, mut vector) = (3.0_f64, 1.0_f64);
        for step in 1..=5 {
            let measured = adamw.step(&variables, &gradients, 0.01).unwrap();
            assert!((measured - norm).abs() < 1e-6);
            let clipped = |gradient: f64| gradient / (norm + 1e-6);
            let update = |gradient: f64| {
                // With a constant gradient both corrected moments are exact at every step.
                0.01 * gradient / (gradient.abs() + 1e-8)
            };
            matrix = matrix * (1.0 - 0.01 * 0.1) - update(clipped(1.2));
            vector -= update(clipped(1.0));
            assert!((f64::from(values(&variables[0])[2]) - matrix).abs() < 1e-5, "step {step}");
            assert!((f64::from(values(&variables[1])[0]) - vector).abs() < 1e-5, "step {step}");
        }
        // Without a gradient there is decay alone.
        let decayed = 0.5 * (1.0 - 0.01 * 0.1_f64).powi(5);
        assert!((f64::from(values(&variables[0])[3]) - decayed).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_applied_when_the_norm_is_not_finite() {
        let (variables, gradients) = problem(f64::INFINITY);
        let before: Vec<_> = variables.iter().map(values).collect();
        let mut adamw = AdamW::new(CONFIG, &variables);
        assert!(!adamw.step(&variables, &gradients, 0.01).unwrap().is_finite());
        assert_eq!(variables.iter().map(values).collect::<Vec<_>>(), before);
        assert_eq!(adamw.steps, 0);
    }

    #[test]
    fn a_parameter_that_no_gradient_reaches_is_an_error() {
        let device = &Device::Cpu;
        let used = Var::from_vec(vec![1_f32], 1, device).unwrap();
        let frozen = Var::from_vec(vec![1_f32, 2.0], 2, device).unwrap();
        let mut store = used.sum_all().unwrap().backward().unwrap();
        let (variables, mut gradients) = ([used, frozen], Gradients::none(2));
        gradients.add(&variables, &mut store).unwrap();
        let error = gradients.require_all(&variables).unwrap_err();
        assert!(error.to_string().contains("no gradient reaches parameter 1 of shape [2]"));
    }
}
