//! Decoder-only transformers for every backend of detoxlm that computes with tensors of its own: as they lie
//! on disk, and what they compute.
//!
//! What is here has no framework: which parameters a configuration describes, their names and shapes
//! in a checkpoint, what an adapter adds to them, and the files of all that, of models and of
//! trainings. [`eager`] runs and trains them on the operations of any framework's tensors. A backend
//! with faster ones turns an [`Architecture`](architecture::Architecture) and an
//! [`Adaptation`](adapters::Adaptation) into computation itself. Neither knows a file.
//!
//! | | read | written |
//! | --- | --- | --- |
//! | models | [`families::describe`], [`checkpoint::Checkpoint`] | [`export::model`], [`initialise`], [`to_half_precision`] |
//! | adapters | [`adapters::open`] | [`export::adapter`] |
//! | checkpoints of trainings | [`training_state::restore`] | [`training_state::save`] |

// Nothing a user can cause may panic; tests, which the workspace's lints also cover, may.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod adapters;
pub mod architecture;
pub mod beginnings;
pub mod cache_memory;
pub mod checkpoint;
pub mod eager;
mod error;
pub mod export;
pub mod families;
mod half_precision;
mod initialise;
pub mod material;
pub mod model_files;
pub mod rotary;
pub mod rows;
pub mod safetensors_file;
pub mod training_state;
pub mod weights;

pub use half_precision::to_half_precision;
pub use initialise::initialise;
