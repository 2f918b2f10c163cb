//! What the WIT says, in Rust.

wasmtime::component::bindgen!({
    path: "wit",
    world: "scoring-filter",
    ownership: Borrowing { duplicate_if_necessary: false },
    additional_derives: [PartialEq],
});

pub(crate) use exports::detoxlm::filter::scoring::{Descriptor, Failure, Sample, Verdict};
