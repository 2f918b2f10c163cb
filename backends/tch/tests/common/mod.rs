//! The device on which the tests run.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "compiled into every test binary, of which none uses all")]

use std::path::Path;

use detoxlm_core::{Compute, Precision};
use detoxlm_tch::{TchLm, TchOptions};

/// The processor, or the device in `DETOXLM_TCH_DEVICE`.
pub(crate) fn compute() -> Compute {
    let device = std::env::var("DETOXLM_TCH_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    Compute::default().with_device(device.parse().unwrap())
}

pub(crate) fn options() -> TchOptions {
    TchOptions::default().with_compute(compute())
}

pub(crate) fn half() -> TchOptions {
    TchOptions::default().with_compute(compute().with_precision(Precision::Bf16))
}

pub(crate) fn open(directory: &Path) -> TchLm {
    TchLm::open(directory, options()).unwrap()
}
