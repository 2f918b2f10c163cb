//! The processor and its memory.

use std::fs;
use std::thread::available_parallelism;

use detoxlm::memory;

use super::Finding;
use crate::text::bytes;

pub(super) fn findings() -> Vec<Finding> {
    let cores = available_parallelism().map_or(1, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "processor".to_owned());
    let mut findings = vec![Finding::ready("processor", format!("{model}, {cores} threads"))];
    findings.push(Finding::ready("vectors", vectors().join(", ")));
    if let (Some(total), Some(available)) = (memory::total(), memory::available()) {
        let detail = format!("{}, of which {} are free", bytes(total), bytes(available));
        findings.push(Finding::ready("memory", detail));
    }
    findings
}

/// The instructions that the kernels choose from when they start.
fn vectors() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let sets = [
            ("AVX-512", std::arch::is_x86_feature_detected!("avx512f")),
            ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
            ("FMA", std::arch::is_x86_feature_detected!("fma")),
        ];
        let there: Vec<_> = sets.into_iter().filter(|set| set.1).map(|set| set.0).collect();
        if !there.is_empty() {
            return there;
        }
    }
    vec!["portable code"]
}

/// The first value of this name in a file of `name: value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}
