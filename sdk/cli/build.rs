//! Lets the program find the libtorch that it was built with.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // torch-sys says where it is, however it was found; without the feature `tch` nobody does.
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Ok(folder) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
