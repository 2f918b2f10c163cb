//! Decoding and training of a small GPT-2 of random weights, in tokens per second.
//!
//! ```sh
//! cargo bench -p detoxlm-candle --bench lm
//! ```

mod random_model;

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use detoxlm_candle::{CandleLm, CandleOptions, CandleTrainBackend};
use detoxlm_core::causal_lm::{CausalLm, Logits, RowId, RowTokens, TokenSequence};
use detoxlm_core::training::{Method, TokenBatch, TrainBackend, TrainingConfig, TrainingJob};
use random_model::Shape;

/// glibc returns large buffers to the system and faults them in again; what trains uses mimalloc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPE: Shape = Shape { width: 384, layers: 6, heads: 6, vocabulary: 8192 };

/// Tokens of the prompt that all continuations share.
const PROMPT: usize = 16;

/// Where the model lies, in a directory that goes with the first value.
fn model() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("model");
    random_model::write(&path, SHAPE);
    (directory, path)
}

/// A stand-in for sampling, which costs a backend nothing: ids spread over the vocabulary.
fn draw(row: usize, step: usize) -> u32 {
    ((row * 7919 + step * 104_729) % SHAPE.vocabulary) as u32
}

/// Continuations of one prompt, forked after it was read.
fn continue_prompt(model: &CandleLm, rows: usize, tokens: usize) -> f32 {
    let prompt: Vec<u32> = (0..PROMPT).map(|index| draw(0, index)).collect();
    let mut session = model.decode_session(rows, PROMPT + tokens).expect("a session");
    let first = session.admit().expect("a row");
    let mut logits = Logits::default();
    let entry = RowTokens { row: first, tokens: &prompt };
    session.step(&[entry], &mut logits).expect("a step");
    let mut all: Vec<RowId> = vec![first];
    all.extend((1..rows).map(|_| session.fork(first).expect("a row")));
    // The prompt's logits give the first token, so the last one is never fed.
    for step in 0..tokens - 1 {
        let drawn: Vec<[u32; 1]> = (0..rows).map(|row| [draw(row, step)]).collect();
        let entries: Vec<_> =
            all.iter().zip(&drawn).map(|(&row, drawn)| RowTokens { row, tokens: drawn }).collect();
        session.step(&entries, &mut logits).expect("a step");
    }
    logits.row(0)[0]
}

fn decode(criterion: &mut Criterion) {
    let (_directory, path) = model();
    let model = CandleLm::open(&path, CandleOptions::default()).expect("a model");
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for (rows, tokens) in [(1, 128), (25, 20), (64, 128)] {
        group.throughput(Throughput::Elements((rows * tokens) as u64));
        group.bench_function(format!("{rows} x {tokens}"), |bencher| {
            bencher.iter(|| continue_prompt(&model, rows, tokens));
        });
    }
    group.finish();
}

fn job(base: &Path) -> TrainingJob {
    TrainingJob {
        base: base.to_path_buf(),
        corpus: Vec::new(),
        validation: Vec::new(),
        method: Method::Full {},
        config: TrainingConfig::default(),
        seed: 0,
        work: PathBuf::new(),
        output: PathBuf::new(),
    }
}

fn train(criterion: &mut Criterion) {
    const SEQUENCES: usize = 8;
    const LENGTH: usize = 256;
    let (_directory, path) = model();
    let backend = CandleTrainBackend::new(CandleOptions::default()).unwrap();
    let mut session = backend.open(&job(&path)).expect("a session");
    let ids = |shift| (0..SEQUENCES * LENGTH).map(|index| draw(index, shift)).collect();
    let batch =
        TokenBatch { inputs: ids(0), targets: ids(1), sequences: SEQUENCES, length: LENGTH };
    let mut group = criterion.benchmark_group("train");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.throughput(Throughput::Elements((SEQUENCES * LENGTH) as u64));
    group.bench_function(format!("step of {SEQUENCES} x {LENGTH}"), |bencher| {
        bencher.iter(|| {
            session.accumulate(&batch, 1.0).expect("gradients");
            session.step(1e-5).expect("a step")
        });
    });
    group.finish();
}

fn likelihood(criterion: &mut Criterion) {
    let (_directory, path) = model();
    let model = CandleLm::open(&path, CandleOptions::default()).expect("a model");
    let windows: Vec<Vec<u32>> =
        (0..4).map(|row| (0..512).map(|index| draw(row, index)).collect()).collect();
    let windows: Vec<_> = windows.iter().map(TokenSequence::from).collect();
    let mut group = criterion.benchmark_group("likelihood");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(4 * 511));
    group.bench_function("4 x 512", |bencher| {
        bencher.iter(|| model.token_likelihoods(&windows).expect("likelihoods"));
    });
    group.finish();
}

/// Items of HellaSwag's sizes: four endings of 20 tokens to a context of 60. What is rated of them, with
/// the context read once; and the same when each ending is asked about by itself, context and all.
fn tasks(criterion: &mut Criterion) {
    const ITEMS: usize = 8;
    const CHOICES: usize = 4;
    const CONTEXT: usize = 60;
    let (_directory, path) = model();
    let model = CandleLm::open(&path, CandleOptions::default()).expect("a model");
    let choices: Vec<Vec<u32>> = (0..ITEMS * CHOICES)
        .map(|choice| {
            let context = (0..CONTEXT).map(|index| draw(choice / CHOICES, index));
            context.chain((0..20).map(|index| draw(1000 + choice, index))).collect()
        })
        .collect();
    let mut group = criterion.benchmark_group("tasks");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.throughput(Throughput::Elements(ITEMS as u64));
    let shared: Vec<_> =
        choices.iter().map(|tokens| TokenSequence { tokens, from: CONTEXT }).collect();
    group.bench_function("a context read once", |bencher| {
        bencher.iter(|| model.token_likelihoods(&shared).expect("likelihoods"));
    });
    // In this order no neighbours share a beginning.
    let order = (0..CHOICES).flat_map(|choice| (0..ITEMS).map(move |item| item * CHOICES + choice));
    let apart: Vec<_> = order.map(|at| TokenSequence::whole(&choices[at])).collect();
    group.bench_function("a context read for every choice", |bencher| {
        bencher.iter(|| model.token_likelihoods(&apart).expect("likelihoods"));
    });
    group.finish();
}

criterion_group!(benches, decode, likelihood, tasks, train);
criterion_main!(benches);
