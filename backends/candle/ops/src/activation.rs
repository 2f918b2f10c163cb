//! Element-wise activations, and the gated one.

use std::marker::PhantomData;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use crate::buffer::{CHUNK, build, build_pair};
use crate::floats::{fusable, gradient_of, read, slice};
use crate::math::{erf, exp, sigmoid, tanh};
use crate::simd::vectorised;
use crate::{check, composed};

/// GELU by its tanh approximation: `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`
/// (Hendrycks and Gimpel 2016), GPT-2's `gelu_new`.
///
/// # Errors
/// Only candle's own.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    if fusable(&[x]) { apply::<GeluTanh>(x) } else { composed::gelu_tanh(x) }
}

/// GELU by the error function: `x/2 (1 + erf(x / sqrt(2)))`, GPT-NeoX's `gelu`.
///
/// # Errors
/// Only candle's own.
pub fn gelu_erf(x: &Tensor) -> Result<Tensor> {
    if fusable(&[x]) { apply::<GeluErf>(x) } else { composed::gelu_erf(x) }
}

/// `max(x, 0)`.
///
/// # Errors
/// Only candle's own.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    if fusable(&[x]) { apply::<Relu>(x) } else { composed::relu(x) }
}

/// `x sigmoid(x)`, also called swish.
///
/// # Errors
/// Only candle's own.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if fusable(&[x]) { apply::<Silu>(x) } else { composed::silu(x) }
}

/// `silu(gate) * up`, the gated activation of Llama's feed-forward (Shazeer 2020).
///
/// # Errors
/// If the shapes differ, or the devices or dtypes do.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    check::same("swiglu", ("gate", gate), ("up", up))?;
    if !fusable(&[gate, up]) {
        return composed::swiglu(gate, up);
    }
    gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)
}

/// A function of one element and its derivative.
trait Activation: Send + Sync + 'static {
    const NAME: &'static str;
    fn value(x: f32) -> f32;
    fn derivative(x: f32) -> f32;
}

struct GeluTanh;

/// sqrt(2 / pi)
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

impl Activation for GeluTanh {
    const NAME: &'static str = "gelu_tanh";

    #[inline(always)]
    fn value(x: f32) -> f32 {
        0.5 * x * (1.0 + tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x)))
    }

    #[inline(always)]
    fn derivative(x: f32) -> f32 {
        let t = tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
        let inner = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
        0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
    }
}

struct GeluErf;

impl Activation for GeluErf {
    const NAME: &'static str = "gelu_erf";

    #[inline(always)]
    fn value(x: f32) -> f32 {
        0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
    }

    #[inline(always)]
    fn derivative(x: f32) -> f32 {
        /// 1 / sqrt(2 pi)
        const DENSITY: f32 = 0.398_942_3;
        0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)) + x * DENSITY * exp(-0.5 * x * x)
    }
}

struct Relu;

impl Activation for Relu {
    const NAME: &'static str = "relu";

    #[inline(always)]
    fn value(x: f32) -> f32 {
        x.max(0.0)
    }

    #[inline(always)]
    fn derivative(x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { 0.0 }
    }
}

struct Silu;

impl Activation for Silu {
    const NAME: &'static str = "silu";

    #[inline(always)]
    fn value(x: f32) -> f32 {
        x * sigmoid(x)
    }

    #[inline(always)]
    fn derivative(x: f32) -> f32 {
        let s = sigmoid(x);
        s * (1.0 + x * (1.0 - s))
    }
}

vectorised! {
    fn values<A: Activation>(output: &mut [f32], x: &[f32]) {
        for (output, &x) in output.iter_mut().zip(x) {
            *output = A::value(x);
        }
    }
}

vectorised! {
    fn gradients<A: Activation>(output: &mut [f32], x: &[f32], gradient: &[f32]) {
        for ((output, &x), &gradient) in output.iter_mut().zip(x).zip(gradient) {
            *output = gradient * A::derivative(x);
        }
    }
}

fn apply<A: Activation>(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(ElementWise::<A>(PhantomData))
}

struct ElementWise<A>(PhantomData<A>);

impl<A: Activation> CustomOp1 for ElementWise<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, layout)?;
        let output =
            build(x.len(), CHUNK, |index, output| values::<A>(output, &x[index * CHUNK..]));
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let (x_guard, gradient_guard) = (read(x)?, read(&gradient)?);
        let (x_values, gradient_values) = (&*x_guard, &*gradient_guard);
        let output = build(x_values.len(), CHUNK, |index, output| {
            let start = index * CHUNK;
            gradients::<A>(output, &x_values[start..], &gradient_values[start..]);
        });
        gradient_of(x, output)
    }
}

struct SwiGlu;

vectorised! {
    fn swiglu_values(output: &mut [f32], gate: &[f32], up: &[f32]) {
        for ((output, &gate), &up) in output.iter_mut().zip(gate).zip(up) {
            *output = Silu::value(gate) * up;
        }
    }
}

vectorised! {
    fn swiglu_gradients(
        gate_gradient: &mut [f32],
        up_gradient: &mut [f32],
        gate: &[f32],
        up: &[f32],
        gradient: &[f32],
    ) {
        let outputs = gate_gradient.iter_mut().zip(up_gradient);
        for ((((to_gate, to_up), &gate), &up), &gradient) in
            outputs.zip(gate).zip(up).zip(gradient)
        {
            let s = sigmoid(gate);
            *to_gate = gradient * up * s * (1.0 + gate * (1.0 - s));
            *to_up = gradient * gate * s;
        }
    }
}

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (slice(gate, gate_layout)?, slice(up, up_layout)?);
        let output = build(gate.len(), CHUNK, |index, output| {
            swiglu_values(output, &gate[index * CHUNK..], &up[index * CHUNK..]);
        });
        Ok((CpuStorage::F32(output), gate_layout.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gate_guard, up_guard, gradient_guard) = (read(gate)?, read(up)?, read(&gradient)?);
        let (gate_values, up_values, gradient_values) =
            (&*gate_guard, &*up_guard, &*gradient_guard);
        let (to_gate, to_up) = build_pair(gate_values.len(), CHUNK, |index, to_gate, to_up| {
            let start = index * CHUNK;
            swiglu_gradients(
                to_gate,
                to_up,
                &gate_values[start..],
                &up_values[start..],
                &gradient_values[start..],
            );
        });
        Ok((gradient_of(gate, to_gate)?, gradient_of(up, to_up)?))
    }
}
