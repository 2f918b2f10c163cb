//! Pipelines that the end-to-end tests run, in this process and, to be killed, in others.

mod setup;
mod steps;

pub use setup::Setup;
pub use steps::OnPermission;
