//! Devices other than the processor, through candle's own operations: what computes with them is
//! `detoxlm-transformer`'s.
//!
//! On the processor the same code gives what this backend's kernels give, to rounding: that is how it is
//! tested where there is no GPU.

mod ceilings;
mod place;
mod slope;
mod tensor;
#[cfg(test)]
mod tests;

pub(crate) use place::CandlePlace;
pub use place::gpu;
