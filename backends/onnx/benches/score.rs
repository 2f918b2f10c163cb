//! Texts per second of the committed classifiers, at about 20 and 128 tokens, in calls of 256.
//!
//! `DETOXLM_ONNXRUNTIME` with `--features onnxruntime` measures ONNX Runtime instead of tract.

use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use detoxlm_core::{Sample, ToxicityScorer};
use detoxlm_onnx::{OnnxOptions, OnnxScorer};

const CALL: usize = 256;

/// 256 texts of `words` words, more or less; no two alike, which a cache in the tokenizer would notice.
fn texts(words: usize) -> Vec<Sample> {
    const WORDS: [&str; 11] = [
        "they", "said", "that", "people", "would", "report", "this", "year", "with", "more",
        "police",
    ];
    (0..CALL)
        .map(|text| {
            let length = words - words / 8 + text % (words / 4 + 1);
            let words = (0..length).map(|word| WORDS[(text * 7 + word * (text % 5 + 1)) % 11]);
            Sample::new(words.collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn score(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/classifier");
    // The encoder's small vocabulary cuts these words into three tokens each, the bag's into one.
    for (model, tokens_per_word) in [("bag", 1), ("encoder", 3)] {
        let mut group = criterion.benchmark_group(model);
        group.throughput(Throughput::Elements(CALL as u64));
        for tokens in [20, 128] {
            // Not windows, which would be several texts in one; the encoder has 48 positions.
            if model == "encoder" && tokens == 128 {
                continue;
            }
            let options = OnnxOptions::default().with_max_tokens(160);
            let options = if model == "encoder" { OnnxOptions::default() } else { options };
            let scorer = OnnxScorer::open_with(fixtures.join(model), &options).expect("a fixture");
            let samples = texts(tokens / tokens_per_word);
            group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| {
                bencher.iter(|| runtime.block_on(scorer.score(&samples)).expect("verdicts"));
            });
        }
    }
}

criterion_group!(benches, score);
criterion_main!(benches);
