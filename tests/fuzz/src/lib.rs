//! What must not panic, whatever bytes it is given: each target takes bytes, and lets errors pass.
//!
//! `cargo test -p detoxlm-fuzz` gives every target 200 spoiled seeds, or as many as the environment
//! variable `DETOXLM_FUZZ_TRIALS` says; `DETOXLM_FUZZ_TARGET` names the only one to run. For as long as
//! one likes, guided by coverage, with `cargo install cargo-fuzz`:
//!
//! ```sh
//! cd tests/fuzz/guided
//! cargo fuzz run --fuzz-dir . --sanitizer none onnx_directory -- -max_total_time=300
//! ```

mod onnx_directory;
mod perspective;
mod plugins;
mod stored_files;

pub use onnx_directory::onnx_directory;
pub use perspective::{perspective_answer, perspective_record};
pub use plugins::{plugin_component, plugin_manifest};
pub use stored_files::{calibration, verdict_cache};

/// A target and a well-formed input for it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// What to spoil.
    pub seed: &'static [u8],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "onnx_directory", run: onnx_directory, seed: onnx_directory::SEED },
    Target { name: "perspective_answer", run: perspective_answer, seed: perspective::ANSWER },
    Target { name: "perspective_record", run: perspective_record, seed: perspective::RECORD },
    Target { name: "plugin_component", run: plugin_component, seed: plugins::COMPONENT },
    Target { name: "plugin_manifest", run: plugin_manifest, seed: plugins::MANIFEST },
    Target { name: "verdict_cache", run: verdict_cache, seed: stored_files::CACHE },
    Target { name: "calibration", run: calibration, seed: stored_files::CALIBRATION },
];

/// The machine of some targets.
fn block_on<T>(work: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    Some(runtime.block_on(work))
}

/// Runs a target under libFuzzer, which takes every panic for a crash, also those that are caught.
pub fn guided(target: fn(&[u8]), data: &[u8]) {
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    target(data);
}
