//! Cross-entropy with values as they are, shares and scores included; what is missing counts for
//! nothing.

use candle_core::{Device, Result, Tensor};

/// What texts should be judged as, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Targets {
    /// In [0, 1]; anything where the weight is 0.
    pub(crate) values: Vec<f32>,
    /// 0 where nobody judged.
    pub(crate) weights: Vec<f32>,
}

impl Targets {
    /// Adds a text: a value, or none, for each attribute with that attribute's weight.
    pub(crate) fn push(&mut self, values: &[Option<f32>], weights: &[f32], text: f32) {
        for (value, weight) in values.iter().zip(weights) {
            self.values.push(value.unwrap_or(0.0));
            self.weights.push(if value.is_some() { text * weight } else { 0.0 });
        }
    }
}

/// The mean of `-t ln s(z) - (1 - t) ln(1 - s(z))` under the weights, in nats: `s` the sigmoid, `z`
/// the logits `(texts, attributes)`.
pub(crate) fn cross_entropy(logits: &Tensor, targets: &Targets) -> Result<Tensor> {
    let tensor = |values: &Vec<f32>| Tensor::from_slice(values, logits.shape(), &Device::Cpu);
    let total: f64 = targets.weights.iter().copied().map(f64::from).sum();
    let weights = tensor(&targets.weights)?;
    // ln(1 + e^z) - t z, with the exponential of what is not positive.
    let softplus = (logits.relu()? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let losses = (softplus - (logits * tensor(&targets.values)?)?)?;
    (losses * weights)?.sum_all()?.affine(1.0 / total.max(f64::MIN_POSITIVE), 0.0)
}

#[cfg(test)]
mod tests {
    use candle_fused_ops::{GradientCheck, check_gradients};

    use super::*;

    #[test]
    fn it_is_the_formula_and_what_is_missing_has_no_gradient() {
        let mut targets = Targets::default();
        targets.push(&[Some(0.25), None], &[3.0, 1.0], 2.0);
        targets.push(&[Some(1.0), Some(0.0)], &[3.0, 1.0], 1.0);
        let logits = Tensor::new(&[[0.5_f32, 60.0], [-1.0, 2.0]], &Device::Cpu).unwrap();
        let loss: f32 = cross_entropy(&logits, &targets).unwrap().to_scalar().unwrap();
        let one = |z: f64, t: f64| {
            let s = 1.0 / (1.0 + (-z).exp());
            -t * s.ln() - (1.0 - t) * (1.0 - s).ln()
        };
        let expected = (6.0 * one(0.5, 0.25) + 3.0 * one(-1.0, 1.0) + one(2.0, 0.0)) / 10.0;
        assert!((f64::from(loss) - expected).abs() < 1e-6, "{loss} {expected}");
        let variable = candle_core::Var::from_tensor(&logits).unwrap();
        let store = cross_entropy(&variable, &targets).unwrap().backward().unwrap();
        let gradient = store.get(&variable).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(gradient[0][1], 0.0);
        let function = |x: &[Tensor]| cross_entropy(&x[0], &targets);
        check_gradients(function, &[logits], GradientCheck::default()).unwrap();
    }
}
