//! What the WIT says, in Rust.

wasmtime::component::bindgen!({
    path: "wit",
    world: "scoring-filter",
});

pub(crate) use exports::detoxlm::filter::scoring::{Descriptor, Failure, Sample, Verdict};
