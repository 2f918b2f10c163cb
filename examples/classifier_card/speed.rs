//! How fast a classifier is.

use std::time::Instant;

use detoxlm::{Sample, ToxicityScorer};

use crate::Result;
use crate::data::Referenced;

/// How often the texts are scored; the fastest counts.
const TIMES: usize = 3;

/// Prints texts per second, in one call, on all cores that this process may use.
pub async fn texts_per_second(scorer: &dyn ToxicityScorer, set: &Referenced) -> Result<()> {
    let samples: Vec<Sample> = set.texts.iter().map(Sample::new).collect();
    let words: usize = set.texts.iter().map(|text| text.split_whitespace().count()).sum();
    let mut seconds = f64::INFINITY;
    for _ in 0..TIMES {
        let started = Instant::now();
        scorer.score(&samples).await?;
        seconds = seconds.min(started.elapsed().as_secs_f64());
    }
    println!("\n### Speed\n");
    println!(
        "{:.0} continuations a second on {} core(s) ({} continuations of {:.1} words on average).",
        samples.len() as f64 / seconds,
        std::thread::available_parallelism()?,
        samples.len(),
        words as f64 / samples.len() as f64,
    );
    Ok(())
}
