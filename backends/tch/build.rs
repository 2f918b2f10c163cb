//! Finds libtorch, or says what to run, before anything that needs it is compiled.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=LIBTORCH_USE_PYTORCH");
    let is_wanted = env::var_os("CARGO_FEATURE_LIBTORCH").is_some();
    // What is only checked is not linked.
    let is_linked = env::var_os("CARGO_FEATURE_CHECK").is_none();
    if !(is_wanted && is_linked) {
        return;
    }
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return;
    }
    let libraries = match env::var_os("LIBTORCH") {
        Some(libtorch) => Path::new(&libtorch).join("lib"),
        None => Path::new("/usr/lib").to_path_buf(),
    };
    if libraries.join("libtorch.so").exists() || libraries.join("libtorch.dylib").exists() {
        // So that tests and benches find it without another variable.
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", libraries.display());
    } else {
        println!(
            "cargo:error=the feature needs libtorch 2.11: run `eval \"$(backends/tch/setup)\"`, or, where \
             PyTorch 2.11 is installed, `export LIBTORCH_USE_PYTORCH=1`, and build again"
        );
    }
}
