use super::{Pair, check};
use crate::Result;
use crate::layers::CalibrationMap;

/// A run of neighbouring values that are mapped to one.
struct Block {
    /// Lowest and highest value.
    low: f64,
    high: f64,
    sum: f64,
    count: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.count
    }
}

/// The map that never decreases and has the least squared error, by the pool-adjacent-violators
/// algorithm (Ayer et al. 1955); straight lines between its steps.
///
/// # Errors
/// When there are no pairs, or one is not in [0, 1].
pub fn fit_isotonic(pairs: &[Pair]) -> Result<CalibrationMap> {
    check(pairs)?;
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut blocks: Vec<Block> = Vec::new();
    for (value, target) in sorted {
        match blocks.last_mut() {
            // Equal values have one map.
            Some(last) if last.low == value && last.high == value => {
                last.sum += target;
                last.count += 1.0;
            }
            _ => blocks.push(Block { low: value, high: value, sum: target, count: 1.0 }),
        }
    }
    let mut pooled: Vec<Block> = Vec::with_capacity(blocks.len());
    for mut block in blocks {
        while let Some(last) = pooled.pop_if(|last| last.mean() >= block.mean()) {
            block.low = last.low;
            block.sum += last.sum;
            block.count += last.count;
        }
        pooled.push(block);
    }
    let (mut from, mut to) = (Vec::new(), Vec::new());
    for block in &pooled {
        let mean = block.mean().clamp(0.0, 1.0);
        from.push(block.low);
        to.push(mean);
        if block.high > block.low {
            from.push(block.high);
            to.push(mean);
        }
    }
    Ok(CalibrationMap::Isotonic { from, to })
}
