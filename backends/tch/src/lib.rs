//! GPT-2 and Llama families on libtorch: local generation, likelihood and training for detoxlm, on the
//! processor and on NVIDIA GPUs.
//!
//! Models, adapters and checkpoints are the files of candle's backend, read and written by the code that
//! both share; what one has trained, the other goes on from. What is computed is `detoxlm-transformer`'s
//! `eager`, too; here are libtorch's devices and operations.
//!
//! Everything here is behind the feature `libtorch`. Without it this crate is empty, and nothing of
//! libtorch is needed or built. With it, `LIBTORCH` names a libtorch 2.11, which `backends/tch/setup`
//! makes, or `LIBTORCH_USE_PYTORCH=1` takes that of an installed PyTorch.
//!
//! - `TchLm` decodes and rates text; `TchLm::with_adapter` gives the same model with an adapter.
//! - `TchTrainBackend` fine-tunes all parameters, or bottleneck adapters, LoRA or a prefix that are added
//!   to them.
//! - `TchOptions` chooses the device and the numbers: `f32`, or `bf16` with weights kept in `f32`.
//! - `register` makes both known as the framework `tch`.
//!
//! A GPU is found when libtorch's library for GPUs, `libtorch_cuda.so`, lies where the program looks for
//! libraries: it is loaded when a GPU is asked for, so that the same program runs with either libtorch.

#![cfg(feature = "libtorch")]
// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod causal_lm;
mod ceilings;
mod dropout;
mod error;
mod loader;
mod options;
mod place;
mod tensor;
mod training;

pub use causal_lm::TchLm;
pub use loader::{TchLoader, register};
pub use options::TchOptions;
pub use place::gpus;
pub use training::TchTrainBackend;
