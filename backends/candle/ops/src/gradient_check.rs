//! Gradients against finite differences.

use candle_core::{DType, Error, Result, Tensor, Var, bail};

/// How [`check_gradients`] samples and what it tolerates. The defaults suit `f32` functions of
/// values of about one.
#[derive(Clone, Copy, Debug)]
pub struct GradientCheck {
    /// Half the distance between the two points of a difference. Rounding of an `f32` function costs
    /// about `1e-7 / step`, curvature about `step^2`: one hundredth balances them.
    pub step: f64,
    /// Largest error, relative to the largest absolute gradient of the input.
    pub tolerance: f64,
    /// Elements tried per input, spread evenly over it; each costs two evaluations.
    pub elements: usize,
}

impl Default for GradientCheck {
    fn default() -> Self {
        Self { step: 1e-2, tolerance: 5e-3, elements: 64 }
    }
}

/// What [`check_gradients`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientReport {
    /// Elements compared, over all inputs.
    pub compared: usize,
    /// The largest error relative to the largest absolute gradient of its input.
    pub worst: f64,
}

/// Compares the gradients that candle's backward pass gives for `function` at `inputs` with central
/// finite differences.
///
/// `function` gets one variable per input and returns a tensor of any shape. What is differentiated
/// is the sum of its elements under fixed weights between one half and one and a half, which no
/// symmetry of the output cancels; the sums and differences are taken in `f64`. `function` must
/// compute the same every time.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_fused_ops::{GradientCheck, check_gradients, gelu_tanh};
///
/// # fn main() -> candle_core::Result<()> {
/// let x = Tensor::randn(0f32, 1.0, (3, 4), &Device::Cpu)?;
/// let report = check_gradients(|x| gelu_tanh(&x[0]), &[x], GradientCheck::default())?;
/// assert_eq!(report.compared, 12);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If `function` fails, an input gets no gradient at all (the backward pass does not reach it), or a
/// gradient is off by more than the tolerance: the message names the input and the element.
pub fn check_gradients(
    function: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
    check: GradientCheck,
) -> Result<GradientReport> {
    let variables = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let arguments: Vec<Tensor> =
        variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let output = function(&arguments)?;
    let weights = weights(output.elem_count());
    let weight_tensor =
        Tensor::from_slice(&weights, output.shape(), output.device())?.to_dtype(output.dtype())?;
    let gradients = output.mul(&weight_tensor)?.sum_all()?.backward()?;

    let mut report = GradientReport { compared: 0, worst: 0.0 };
    for (input, variable) in variables.iter().enumerate() {
        let Some(gradient) = gradients.get(variable) else {
            bail!("input {input} gets no gradient: the backward pass does not reach it")
        };
        let gradient = elements(gradient)?;
        let largest = gradient.iter().fold(0f64, |largest, value| largest.max(value.abs()));
        let values = elements(&arguments[input])?;
        let stride = values.len().div_ceil(check.elements.max(1)).max(1);
        for element in (0..values.len()).step_by(stride) {
            let at = |offset: f64| {
                let mut moved = values.clone();
                moved[element] += offset;
                let like = &arguments[input];
                let moved =
                    Tensor::from_vec(moved, like.shape(), like.device())?.to_dtype(like.dtype())?;
                // The step actually taken, after rounding to the dtype.
                let position = elements(&moved)?[element];
                let mut arguments = arguments.clone();
                arguments[input] = moved;
                let output = elements(&function(&arguments)?)?;
                Ok::<_, Error>((position, weighted_sum(&output, &weights)))
            };
            let (above, below) = (at(check.step)?, at(-check.step)?);
            let expected = (above.1 - below.1) / (above.0 - below.0);
            let error = (gradient[element] - expected).abs() / largest.max(f64::MIN_POSITIVE);
            if error.is_nan() || error > check.tolerance {
                bail!(
                    "input {input}, element {element}: the gradient is {}, but the function \
                     changes by {expected} per unit; that is {error:.1e} of the input's largest \
                     gradient, and the tolerance is {:.1e}",
                    gradient[element],
                    check.tolerance,
                )
            }
            report.worst = report.worst.max(error);
            report.compared += 1;
        }
    }
    Ok(report)
}

/// Weights in [0.5, 1.5) by the golden ratio's low-discrepancy sequence.
fn weights(len: usize) -> Vec<f64> {
    (1..=len).map(|index| 0.5 + (index as f64 * 0.618_033_988_749_894_9).fract()).collect()
}

fn weighted_sum(values: &[f64], weights: &[f64]) -> f64 {
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

fn elements(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
