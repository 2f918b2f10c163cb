//! What the WIT says, in Rust.

wasmtime::component::bindgen!({
    path: "wit",
    world: "scoring-filter",
    ownership: Borrowing { duplicate_if_necessary: false },
    additional_derives: [PartialEq],
    exports: { default: async },
});

pub(crate) use exports::detoxlm::filter::scoring::{Descriptor, Failure, Sample, Verdict};
