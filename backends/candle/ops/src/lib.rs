//! Fused, differentiable CPU operations for candle.
//!
//! `candle_nn`'s fused layer norm, RMS norm, softmax and rotary embedding return tensors without a
//! backward pass and say nothing: everything upstream of them stays frozen. These do not.

pub mod infer;
mod math;
