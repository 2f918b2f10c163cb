//! Texts per second, at about 20 and 128 words, in calls of 256.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use detoxlm_core::{Sample, ToxicityScorer};
use detoxlm_profanity_check::ProfanityCheck;

const CALL: usize = 256;
const WORDS: [&str; 11] =
    ["they", "said", "that", "people", "would", "report", "this", "year", "with", "more", "police"];

/// 256 texts of this many words, no two alike.
fn texts(words: usize) -> Vec<Sample> {
    (0..CALL)
        .map(|text| {
            let words = (0..words).map(|word| WORDS[(text * 7 + word * (text % 5 + 1)) % 11]);
            Sample::new(words.collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn score(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let scorer = ProfanityCheck::new().expect("embedded weights");
    let mut group = criterion.benchmark_group("profanity-check");
    group.throughput(Throughput::Elements(CALL as u64));
    for words in [20, 128] {
        let samples = texts(words);
        group.bench_function(BenchmarkId::from_parameter(words), |bencher| {
            bencher.iter(|| runtime.block_on(scorer.score(&samples)).expect("verdicts"));
        });
    }
}

criterion_group!(benches, score);
criterion_main!(benches);
