//! Packed linear layers against the `gemm` crate and candle's `matmul`.
//!
//! Throughput is in multiply-adds times two (read `elem/s` as FLOP/s); with one row, also in bytes
//! of weights.

use std::hint::black_box;

use candle_core::{Device, Result, Tensor};
use candle_fused_ops::infer::{PackedLinear, PackedPrecision, WeightLayout};
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

fn benches(c: &mut Criterion) {
    linear(c).expect("the shapes agree");
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
