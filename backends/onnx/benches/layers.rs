//! What layers cost: 10,000 texts through the embedded classifier bare, in an ensemble behind a cache,
//! and again from the cache. Each is the fastest of three, in turns.
//!
//! ```sh
//! cargo bench -p detoxlm-onnx --bench layers
//! ```

#![allow(clippy::print_stdout, reason = "a program that tells its result")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use detoxlm_core::layers::{Cached, Combination, Ensemble};
use detoxlm_core::{Sample, ToxicityScorer};
use detoxlm_onnx::OnnxScorer;
use tokio::runtime::Runtime;

const TEXTS: usize = 10_000;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let texts = texts();
    let bare: Arc<dyn ToxicityScorer> = Arc::new(OnnxScorer::embedded().expect("it is built in"));
    let directory = tempfile::tempdir().expect("a directory");
    let mut best = [Duration::MAX; 3];
    for round in 0..ROUNDS {
        let cached = Cached::open(Arc::clone(&bare), directory.path().join(round.to_string()));
        let members: [Arc<dyn ToxicityScorer>; 1] = [Arc::new(cached.expect("a directory"))];
        let layered = Ensemble::new(members, Combination::Mean).expect("a member");
        let times = [
            time(&runtime, &*bare, &texts),
            time(&runtime, &layered, &texts),
            time(&runtime, &layered, &texts),
        ];
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    println!("| scorer | texts/s | of the bare one |");
    println!("|---|---:|---:|");
    for (name, time) in ["bare", "cache and ensemble, new texts", "again"].iter().zip(best) {
        let rate = TEXTS as f64 / time.as_secs_f64();
        println!("| {name} | {rate:.0} | {:.2} |", best[0].as_secs_f64() / time.as_secs_f64());
    }
}

fn time(runtime: &Runtime, scorer: &dyn ToxicityScorer, texts: &[Sample]) -> Duration {
    let begun = Instant::now();
    for batch in texts.chunks(scorer.capabilities().batch) {
        runtime.block_on(scorer.score(batch)).expect("verdicts");
    }
    begun.elapsed()
}

/// Texts of about 20 words, no two alike.
fn texts() -> Vec<Sample> {
    const WORDS: [&str; 11] = [
        "they", "said", "that", "people", "would", "report", "this", "year", "with", "more",
        "police",
    ];
    let text = |at: usize| {
        let words = (0..20).map(|word| WORDS[(at * 7 + word * (at % 5 + 1)) % 11]);
        Sample::new(format!("{} {at}", words.collect::<Vec<_>>().join(" ")))
    };
    (0..TEXTS).map(text).collect()
}
