//! Fused against composed operations, forward and backward, at the shapes of a small GPT: width 384,
//! 6 heads, vocabulary 8192, 8 sequences of 256 tokens. The whole step has 6 layers.
//!
//! `MIMALLOC_PURGE_DELAY=-1 cargo bench -p candle-fused-ops`; a filter such as `-- attention` picks
//! some. Without the variable, mimalloc also returns what one pass frees before the next one needs
//! it, and the system's clearing of pages is part of every figure.

use std::time::Duration;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_fused_ops::{self as fused, AttentionShape, WeightLayout, composed};
use criterion::{Criterion, criterion_group, criterion_main};

/// What trains uses mimalloc: glibc gives large buffers back to the system and faults them in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 8;
const TIME: usize = 256;
const TOKENS: usize = BATCH * TIME;
const WIDTH: usize = 384;
const HEADS: usize = 6;
const LAYERS: usize = 6;
const VOCABULARY: usize = 8192;
const LAYOUT: WeightLayout = WeightLayout::InOut;

fn variable(shape: &[usize], deviation: f32) -> Tensor {
    Var::randn(0f32, deviation, shape, &Device::Cpu).expect("a variable").into_inner()
}

fn ids(step: usize) -> Vec<u32> {
    (0..TOKENS).map(|token| (token * step % VOCABULARY) as u32).collect()
}

fn attention_shape() -> AttentionShape {
    let head_dim = WIDTH / HEADS;
    let scale = 1.0 / (head_dim as f32).sqrt();
    AttentionShape {
        batch: BATCH,
        time: TIME,
        heads: HEADS,
        kv_heads: HEADS,
        head_dim,
        scale,
        rope: None,
    }
}

/// Times forward and backward of both versions.
fn compare(
    criterion: &mut Criterion,
    name: &str,
    fused: impl Fn() -> Result<Tensor>,
    composed: impl Fn() -> Result<Tensor>,
) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    let both = |function: &dyn Fn() -> Result<Tensor>| function()?.backward();
    group.bench_function("fused forward", |b| b.iter(|| fused().expect("forward")));
    group.bench_function("fused", |b| b.iter(|| both(&fused).expect("backward")));
    group.bench_function("composed", |b| b.iter(|| both(&composed).expect("backward")));
    group.finish();
}

fn operations(criterion: &mut Criterion) {
    let x = variable(&[TOKENS, WIDTH], 1.0);
    let wide = variable(&[TOKENS, 4 * WIDTH], 1.0);
    let (scale, shift) = (variable(&[WIDTH], 1.0), variable(&[WIDTH], 1.0));
    let (weight, bias) = (variable(&[WIDTH, 4 * WIDTH], 0.02), variable(&[4 * WIDTH], 0.02));
    let qkv = variable(&[TOKENS, 3 * WIDTH], 1.0);
    let table = variable(&[VOCABULARY, WIDTH], 0.02);
    let (inputs, targets, shape) = (ids(37), ids(41), attention_shape());

    compare(
        criterion,
        "layer_norm",
        || fused::layer_norm(&x, &scale, &shift, 1e-5),
        || composed::layer_norm(&x, &scale, &shift, 1e-5),
    );
    compare(
        criterion,
        "rms_norm",
        || fused::rms_norm(&x, &scale, 1e-5),
        || composed::rms_norm(&x, &scale, 1e-5),
    );
    compare(
        criterion,
        "linear",
        || fused::linear(&x, &weight, Some(&bias), LAYOUT),
        || composed::linear(&x, &weight, Some(&bias), LAYOUT),
    );
    compare(
        criterion,
        "frozen_linear",
        || fused::frozen_linear(&x, &weight, Some(&bias), LAYOUT),
        || composed::frozen_linear(&x, &weight, Some(&bias), LAYOUT),
    );
    compare(criterion, "gelu_tanh", || fused::gelu_tanh(&wide), || composed::gelu_tanh(&wide));
    compare(criterion, "gelu_erf", || fused::gelu_erf(&wide), || composed::gelu_erf(&wide));
    compare(criterion, "silu", || fused::silu(&wide), || composed::silu(&wide));
    compare(criterion, "swiglu", || fused::swiglu(&wide, &wide), || composed::swiglu(&wide, &wide));
    compare(criterion, "add", || fused::add(&x, &x), || composed::add(&x, &x));
    compare(
        criterion,
        "causal_attention_fused",
        || fused::causal_attention_fused(&qkv, &shape),
        || composed::causal_attention_fused(&qkv, &shape),
    );
    let prefix = variable(&[16, 2 * WIDTH], 1.0);
    compare(
        criterion,
        "causal_attention_with_prefix",
        || fused::causal_attention_with_prefix(&qkv, &prefix, &shape),
        || composed::causal_attention_with_prefix(&qkv, &prefix, &shape),
    );
    compare(
        criterion,
        "embedding",
        || fused::embedding(&table, &inputs),
        || composed::embedding(&table, &inputs),
    );
    compare(
        criterion,
        "linear_cross_entropy",
        || fused::linear_cross_entropy(&x, &table, &targets, None),
        || composed::linear_cross_entropy(&x, &table, &targets, None),
    );
}

struct Layer {
    norms: [(Tensor, Tensor); 2],
    /// Queries, keys and values; their projection; the feed-forward's two.
    linears: [(Tensor, Tensor); 4],
}

impl Layer {
    fn new() -> Self {
        let one = || Var::ones(WIDTH, DType::F32, &Device::Cpu).expect("a variable").into_inner();
        let zero =
            |width| Var::zeros(width, DType::F32, &Device::Cpu).expect("a variable").into_inner();
        let linear = |input, output| (variable(&[input, output], 0.02), zero(output));
        Self {
            norms: [(one(), zero(WIDTH)), (one(), zero(WIDTH))],
            linears: [
                linear(WIDTH, 3 * WIDTH),
                linear(WIDTH, WIDTH),
                linear(WIDTH, 4 * WIDTH),
                linear(4 * WIDTH, WIDTH),
            ],
        }
    }

    fn fused(&self, x: &Tensor, shape: &AttentionShape) -> Result<Tensor> {
        let norm = |index: usize, x: &Tensor| {
            let (scale, shift) = &self.norms[index];
            fused::layer_norm(x, scale, shift, 1e-5)
        };
        let linear = |index: usize, x: &Tensor| {
            let (weight, bias) = &self.linears[index];
            fused::linear(x, weight, Some(bias), LAYOUT)
        };
        let seen = fused::causal_attention_fused(&linear(0, &norm(0, x)?)?, shape)?;
        let x = fused::add(x, &linear(1, &seen)?)?;
        let hidden = fused::gelu_tanh(&linear(2, &norm(1, &x)?)?)?;
        fused::add(&x, &linear(3, &hidden)?)
    }

    fn composed(&self, x: &Tensor, shape: &AttentionShape) -> Result<Tensor> {
        let norm = |index: usize, x: &Tensor| {
            let (scale, shift) = &self.norms[index];
            composed::layer_norm(x, scale, shift, 1e-5)
        };
        let linear = |index: usize, x: &Tensor| {
            let (weight, bias) = &self.linears[index];
            composed::linear(x, weight, Some(bias), LAYOUT)
        };
        let seen = composed::causal_attention_fused(&linear(0, &norm(0, x)?)?, shape)?;
        let x = composed::add(x, &linear(1, &seen)?)?;
        let hidden = composed::gelu_tanh(&linear(2, &norm(1, &x)?)?)?;
        composed::add(&x, &linear(3, &hidden)?)
    }
}

fn models(criterion: &mut Criterion) {
    let x = variable(&[TOKENS, WIDTH], 1.0);
    let shape = attention_shape();
    let layers: Vec<_> = (0..LAYERS).map(|_| Layer::new()).collect();
    compare(criterion, "layer", || layers[0].fused(&x, &shape), || layers[0].composed(&x, &shape));

    let table = variable(&[VOCABULARY, WIDTH], 0.02);
    let positions = variable(&[TIME, WIDTH], 0.02);
    let (inputs, targets) = (ids(37), ids(41));
    let position_ids: Vec<u32> = (0..TOKENS).map(|token| (token % TIME) as u32).collect();
    compare(
        criterion,
        "step without optimiser",
        || {
            let tokens = fused::embedding(&table, &inputs)?;
            let mut x = fused::add(&tokens, &fused::embedding(&positions, &position_ids)?)?;
            for layer in &layers {
                x = layer.fused(&x, &shape)?;
            }
            fused::linear_cross_entropy(&x, &table, &targets, None)
        },
        || {
            let tokens = composed::embedding(&table, &inputs)?;
            let mut x = composed::add(&tokens, &composed::embedding(&positions, &position_ids)?)?;
            for layer in &layers {
                x = layer.composed(&x, &shape)?;
            }
            composed::linear_cross_entropy(&x, &table, &targets, None)
        },
    );
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = short();
    targets = operations, models
}
criterion_main!(benches);
