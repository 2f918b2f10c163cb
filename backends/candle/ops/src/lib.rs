//! Fused, differentiable CPU operations for candle: what a transformer needs to train.
//!
//! `candle_nn`'s fused layer norm, RMS norm, softmax and rotary embedding return tensors without a
//! backward pass and say nothing: everything upstream of them stays frozen. These do not.
//!
//! # Conventions
//!
//! - `N` is the number of tokens, flattened over the batch; activations are `(N, width)` matrices.
//!   Keeping that one shape through a model spares it the reshapes that would each cost a
//!   zero-fill and an addition in candle's backward pass.
//! - On the CPU in `f32` an operation runs its fused kernel, parallel over rayon's current pool;
//!   inputs that are not contiguous are copied first. On any other device or dtype it is composed
//!   of candle's primitives (module [`composed`]), and differentiable there too.
//! - Same input, same bits: partial sums are taken over fixed pieces of the input and added in
//!   order, whatever the number of threads.
//! - Gradients are computed only for arguments that a variable leads to.
//! - Shapes that do not fit are a [`candle_core::Error`] that names them.
//!
//! # Example
//!
//! ```
//! use candle_core::{Device, Result, Tensor, Var};
//! use candle_fused_ops::{WeightLayout, gelu_tanh, layer_norm, linear};
//!
//! # fn main() -> Result<()> {
//! let device = Device::Cpu;
//! let x = Tensor::randn(0f32, 1.0, (10, 8), &device)?;
//! let scale = Var::ones(8, candle_core::DType::F32, &device)?;
//! let shift = Var::zeros(8, candle_core::DType::F32, &device)?;
//! let weight = Var::randn(0f32, 0.1, (8, 32), &device)?;
//! let hidden = layer_norm(&x, &scale, &shift, 1e-5)?;
//! let hidden = gelu_tanh(&linear(&hidden, &weight, None, WeightLayout::InOut)?)?;
//! let gradients = hidden.sum_all()?.backward()?;
//! assert!(gradients.get(&scale).is_some());
//! # Ok(())
//! # }
//! ```

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod activation;
mod add;
mod attention;
mod buffer;
mod check;
pub mod composed;
mod convolution;
mod cross_entropy;
mod dropout;
mod embedding;
mod floats;
mod gradient_check;
pub mod infer;
mod linear;
mod math;
mod matmul;
mod norm;
mod rope;
mod simd;

pub use activation::{gelu_erf, gelu_tanh, relu, silu, swiglu};
pub use add::{add, scaled_add};
pub use attention::{
    AttentionShape, causal_attention, causal_attention_fused, causal_attention_with_prefix,
};
pub use convolution::{TextConvolutions, convolve_and_pool};
pub use cross_entropy::linear_cross_entropy;
pub use dropout::dropout;
pub use embedding::embedding;
pub use gradient_check::{GradientCheck, GradientReport, check_gradients};
pub use linear::{WeightLayout, frozen_linear, linear};
pub use norm::{layer_norm, rms_norm};
pub use rope::Rope;
