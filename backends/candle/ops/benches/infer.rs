//! Packed linear layers against the `gemm` crate and candle's `matmul`; attention and row-wise
//! kernels on their own.
//!
//! Of products, throughput counts two operations per multiply-add: read `elem/s` as FLOP/s. With
//! one row, it is also the bytes of `f32` weights read per second, halved.

use std::hint::black_box;

use candle_core::{Device, Result, Tensor};
use candle_fused_ops::infer::{
    AttentionShape, KvCache, PackedLinear, PackedPrecision, Rows, Segment, WeightLayout,
    cached_attention, gelu_erf, gelu_tanh, layer_norm_rows, log_softmax_pick,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SHAPES: [(usize, usize); 4] = [(768, 3072), (384, 1536), (64, 172), (384, 8192)];
const ROWS: [usize; 6] = [1, 4, 16, 25, 64, 512];

fn gemm_f32(m: usize, k: usize, n: usize, x: &[f32], w: &[f32], out: &mut [f32]) {
    // SAFETY: the slices hold row-major (m, k), (k, n) and (m, n).
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            x.as_ptr(),
            1,
            k as isize,
            w.as_ptr(),
            1,
            n as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}

fn linear(c: &mut Criterion) -> Result<()> {
    for (k, n) in SHAPES {
        let weight = Tensor::randn(0f32, 0.02, (k, n), &Device::Cpu)?;
        let values = weight.flatten_all()?.to_vec1::<f32>()?;
        let layout = WeightLayout::InOut;
        let packed = PackedLinear::new(&weight, None, layout)?;
        let half = PackedLinear::concat(&[(&weight, None)], layout, PackedPrecision::F16)?;
        let mut group = c.benchmark_group(format!("linear {k}x{n}"));
        for m in ROWS {
            let x = Tensor::randn(0f32, 1.0, (m, k), &Device::Cpu)?;
            let rows = x.flatten_all()?.to_vec1::<f32>()?;
            let mut out = vec![0f32; m * n];
            group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
            group.bench_function(BenchmarkId::new("packed", m), |b| {
                b.iter(|| packed.forward_into(black_box(&rows), m, &mut out));
            });
            group.bench_function(BenchmarkId::new("packed f16", m), |b| {
                b.iter(|| half.forward_into(black_box(&rows), m, &mut out));
            });
            group.bench_function(BenchmarkId::new("gemm", m), |b| {
                b.iter(|| gemm_f32(m, k, n, black_box(&rows), &values, &mut out));
            });
            group.bench_function(BenchmarkId::new("candle", m), |b| {
                b.iter(|| black_box(&x).matmul(&weight));
            });
        }
        group.finish();
    }
    Ok(())
}

/// One step of 25 sequences, and a prompt; twelve heads of 64.
fn attention(c: &mut Criterion) {
    let shape = AttentionShape { heads: 12, kv_heads: 12, head_dim: 64, scale: 0.125 };
    let width = shape.heads * shape.head_dim;
    let mut group = c.benchmark_group("attention");
    for (sequences, start, len) in [(1, 40, 1), (25, 40, 1), (25, 500, 1), (1, 0, 512)] {
        let mut cache = KvCache::new(sequences, start + len, shape.kv_heads, shape.head_dim);
        let past = vec![0.1; start * width];
        for slot in 0..sequences {
            cache.append(slot, 0, &past, &past).expect("the cache is large enough");
        }
        let segments: Vec<_> = (0..sequences).map(|slot| Segment { slot, start, len }).collect();
        let rows = vec![0.1; sequences * len * 3 * width];
        let mut out = vec![0f32; sequences * len * width];
        let keys: usize = (start + 1..=start + len).sum();
        group.throughput(Throughput::Elements((4 * sequences * keys * width) as u64));
        let id = BenchmarkId::new(format!("{sequences} of {len}"), start);
        group.bench_function(id, |b| {
            b.iter(|| {
                let columns = |i| Rows::columns(black_box(&rows), 3 * width, i * width);
                let (q, k, v) = (columns(0), columns(1), columns(2));
                cached_attention(q, k, v, &mut cache, &segments, shape, &mut out)
            });
        });
    }
    group.finish();
}

/// Activations of 25 rows of GPT-2 small.
fn rowwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("row-wise");
    let (mut hidden, weight) = (vec![0.1f32; 25 * 3072], vec![1f32; 768]);
    group.throughput(Throughput::Elements(hidden.len() as u64));
    group.bench_function("gelu_tanh", |b| b.iter(|| gelu_tanh(black_box(&mut hidden))));
    group.bench_function("gelu_erf", |b| b.iter(|| gelu_erf(black_box(&mut hidden))));
    let (x, mut out) = (vec![0.1; 25 * 768], vec![0.0; 25 * 768]);
    group.throughput(Throughput::Elements(x.len() as u64));
    group.bench_function("layer_norm", |b| {
        b.iter(|| layer_norm_rows(black_box(&x), &weight, Some(&weight), 1e-5, &mut out));
    });
    let logits = vec![0.1; 50_257];
    group.throughput(Throughput::Elements(logits.len() as u64));
    group.bench_function("log_softmax_pick", |b| {
        b.iter(|| log_softmax_pick(black_box(&logits), 17));
    });
    group.finish();
}

fn benches(c: &mut Criterion) {
    linear(c).expect("the shapes agree");
    attention(c);
    rowwise(c);
}

criterion_group! {
    name = infer;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800))
        .sample_size(20);
    targets = benches
}
criterion_main!(infer);
