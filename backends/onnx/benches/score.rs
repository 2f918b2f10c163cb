//! Texts per second of the committed classifiers, at about 20 and 128 tokens, in calls of 256.
//!
//! `DETOXLM_ONNXRUNTIME` with `--features onnxruntime` measures ONNX Runtime instead of tract.

use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use detoxlm_core::{Sample, ToxicityScorer};
use detoxlm_onnx::OnnxScorer;
use tempfile::TempDir;

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
    // The encoder's small vocabulary cuts these words into four tokens each, the bag's into one; the
    // encoder has 48 positions, and windows would be several texts in one.
    for (model, tokens, words) in [("bag", 20, 20), ("bag", 128, 128), ("encoder", 20, 5)] {
        let directory = without_limit(&fixtures.join(model));
        let scorer = OnnxScorer::open(directory.path()).expect("a fixture");
        let samples = texts(words);
        let mut group = criterion.benchmark_group(model);
        group.throughput(Throughput::Elements(CALL as u64));
        group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| {
            bencher.iter(|| runtime.block_on(scorer.score(&samples)).expect("verdicts"));
        });
    }
}

/// A copy whose configuration does not limit the tokens; the bag has no positions.
fn without_limit(fixture: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a directory");
    for file in ["model.onnx", "tokenizer.json", "config.json"] {
        let bytes = std::fs::read(fixture.join(file)).expect("a fixture");
        let text = String::from_utf8(bytes.clone())
            .map(|text| text.replace("max_position_embeddings", "unlimited").into_bytes());
        std::fs::write(copy.path().join(file), text.unwrap_or(bytes)).expect("a copy");
    }
    copy
}

criterion_group!(benches, score);
criterion_main!(benches);
