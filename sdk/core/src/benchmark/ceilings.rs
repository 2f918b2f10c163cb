use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Compute, Result};

/// What bounds a language model on a device, measured on it: no work of a model is faster than the products
/// of matrices that it consists of, nor than its weights are read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Floating-point operations a second of a large product of matrices; a multiplication with its
    /// addition are two.
    pub operations: f64,
    /// Bytes a second that are read of memory far larger than any cache.
    pub bytes: f64,
}

/// Measures the ceilings of a framework where it computes.
pub type CeilingsProbe = fn(Compute) -> Result<Ceilings>;

/// How many times a second something is done, at its fastest of as many times as fit into half a second,
/// three at least: what else a machine does makes it slower and never faster.
///
/// # Errors
/// Those of `work`.
pub fn fastest_per_second(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    const SPAN: Duration = Duration::from_millis(500);
    let (begun, mut fastest, mut times) = (Instant::now(), Duration::MAX, 0);
    while times < 3 || begun.elapsed() < SPAN {
        let one = Instant::now();
        work()?;
        fastest = fastest.min(one.elapsed());
        times += 1;
    }
    Ok(1.0 / fastest.max(Duration::from_nanos(1)).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, ErrorKind};

    #[test]
    fn the_fastest_counts_and_a_failure_ends_it() {
        let mut times = 0_u64;
        let rate = fastest_per_second(|| {
            times += 1;
            // The first time is the slowest.
            std::thread::sleep(Duration::from_millis(if times == 1 { 100 } else { 1 }));
            Ok(())
        });
        let rate = rate.unwrap();
        assert!(times >= 3 && rate > 10.0 && rate <= 1000.0, "{times} times, {rate}");
        let failed = || Err(Error::new(ErrorKind::Internal, "test", "work", "no"));
        assert!(fastest_per_second(failed).is_err());
    }
}
