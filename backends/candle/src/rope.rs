//! Rotary positions in the tables that the kernels read.

use candle_core::Result;
use candle_fused_ops::Rope;
use candle_fused_ops::infer::{RopeTable, rope_table};
use detoxlm_transformer::architecture::Architecture;

/// Cosines and sines for training; nothing where positions are learned.
pub(crate) fn training_table(architecture: &Architecture) -> Result<Option<Rope>> {
    let Some(rotary) = architecture.rotary else { return Ok(None) };
    let head_width = architecture.head_width;
    let (cos, sin) = rotary.tables(head_width, architecture.context_length);
    Rope::from_tables(cos, sin, head_width).map(Some)
}

/// The same for decoding.
pub(crate) fn decoding_table(architecture: &Architecture) -> Result<Option<RopeTable>> {
    let Some(rotary) = architecture.rotary else { return Ok(None) };
    let head_width = architecture.head_width;
    // What makes the exact frequencies ours, so that both tables have the same bits.
    let factors: Vec<_> = rotary
        .frequencies(head_width)
        .iter()
        .enumerate()
        .map(|(pair, &frequency)| {
            let exact = rotary.base.powf(-2.0 * pair as f64 / head_width as f64);
            f64::from(frequency) / exact
        })
        .collect();
    rope_table(architecture.context_length, head_width, rotary.base, Some(&factors)).map(Some)
}
