//! Packed linear layers.

use candle_core::{DType, Device, Result, Tensor};
use candle_fused_ops::infer::{PackedLinear, PackedPrecision, WeightLayout};

use crate::{bits, error, on_threads, values};

const SHAPES: [(usize, usize); 6] = [(1, 1), (1, 70), (7, 16), (64, 172), (80, 64), (530, 129)];

fn reference(x: &[f32], rows: usize, w: &[f32], b: &[f32], k: usize) -> Vec<f64> {
    let n = b.len();
    let cell = |r: usize, c: usize| {
        let products = (0..k).map(|i| f64::from(x[r * k + i]) * f64::from(w[i * n + c]));
        f64::from(b[c]) + products.sum::<f64>()
    };
    (0..rows * n).map(|i| cell(i / n, i % n)).collect()
}

fn forward(layer: &PackedLinear, x: &[f32]) -> Vec<f32> {
    let rows = x.len() / layer.in_features();
    let mut out = vec![f32::NAN; rows * layer.out_features()];
    layer.forward_into(x, rows, &mut out).expect("whole rows");
    out
}

#[test]
fn agrees_with_f64_in_either_layout() -> Result<()> {
    for (k, n) in SHAPES {
        let (w, b) = (values(k * n, 1), values(n, 2));
        let weight = Tensor::from_slice(&w, (k, n), &Device::Cpu)?;
        let bias = Tensor::from_slice(&b, n, &Device::Cpu)?;
        let in_out = PackedLinear::new(&weight, Some(&bias), WeightLayout::InOut)?;
        let out_in = PackedLinear::new(&weight.t()?, Some(&bias), WeightLayout::OutIn)?;
        for rows in [1, 2, 5, 13, 200] {
            let x = values(rows * k, 3);
            let out = forward(&in_out, &x);
            assert!(error(&out, &reference(&x, rows, &w, &b, k)) < 1e-6, "{rows} x {k} x {n}");
            assert_eq!(bits(&out), bits(&forward(&out_in, &x)));
        }
    }
    Ok(())
}

#[test]
fn concatenation_is_each_part_beside_the_other() -> Result<()> {
    let k = 33;
    let weights =
        [20, 70, 5].map(|n| Tensor::from_vec(values(n * k, n as u32), (n, k), &Device::Cpu));
    let [q, kv, gate] = weights;
    let (q, kv, gate) = (q?, kv?, gate?);
    let bias = Tensor::from_vec(values(70, 9), 70, &Device::Cpu)?;
    let parts = [(&q, None), (&kv, Some(&bias)), (&gate, None)];
    let all = PackedLinear::concat(&parts, WeightLayout::OutIn, PackedPrecision::F32)?;
    assert_eq!((all.in_features(), all.out_features()), (k, 95));
    let x = values(3 * k, 4);
    let mut expected = vec![Vec::new(); 3];
    for (weight, bias) in parts {
        let out = forward(&PackedLinear::new(weight, bias, WeightLayout::OutIn)?, &x);
        for (row, out) in expected.iter_mut().zip(out.chunks(out.len() / 3)) {
            row.extend(out);
        }
    }
    assert_eq!(bits(&forward(&all, &x)), bits(&expected.concat()));
    Ok(())
}

#[test]
fn half_precision_multiplies_the_rounded_weights() -> Result<()> {
    let (k, n) = (70, 50);
    let weight = Tensor::from_vec(values(k * n, 1), (k, n), &Device::Cpu)?;
    let rounded = weight.to_dtype(DType::F16)?.to_dtype(DType::F32)?;
    let layout = WeightLayout::InOut;
    let half = PackedLinear::concat(&[(&weight, None)], layout, PackedPrecision::F16)?;
    let full = PackedLinear::new(&rounded, None, layout)?;
    assert!(half.size_in_bytes() < full.size_in_bytes());
    for rows in [1, 9] {
        let x = values(rows * k, 2);
        assert_eq!(bits(&forward(&half, &x)), bits(&forward(&full, &x)));
    }
    Ok(())
}

/// A row alone, in batches of several sizes, at every place of them, on one thread and on many.
#[test]
fn a_row_has_the_same_bits_in_every_batch() -> Result<()> {
    // Large enough to be shared among threads, and for spans of the inner dimension.
    let (k, n) = (1100, 700);
    let weight = Tensor::from_vec(values(k * n, 1), (k, n), &Device::Cpu)?;
    let bias = Tensor::from_vec(values(n, 2), n, &Device::Cpu)?;
    for precision in [PackedPrecision::F32, PackedPrecision::F16] {
        let parts = [(&weight, Some(&bias))];
        let layer = PackedLinear::concat(&parts, WeightLayout::InOut, precision)?;
        let x = values(230 * k, 3);
        let alone: Vec<u32> =
            on_threads(1, || x.chunks(k).flat_map(|row| bits(&forward(&layer, row))).collect());
        for rows in [2, 7, 64, 230] {
            for threads in [1, 2, 5] {
                let out = on_threads(threads, || forward(&layer, &x[..rows * k]));
                assert_eq!(bits(&out), alone[..rows * n], "{rows} rows, {threads} threads");
            }
        }
        let reversed: Vec<f32> = x.chunks(k).rev().flatten().copied().collect();
        let out = on_threads(3, || forward(&layer, &reversed));
        let out: Vec<f32> = out.chunks(n).rev().flatten().copied().collect();
        assert_eq!(bits(&out), alone);
    }
    Ok(())
}

#[test]
fn tensors_keep_their_leading_dimensions() -> Result<()> {
    let weight = Tensor::from_vec(values(12, 1), (4, 3), &Device::Cpu)?;
    let layer = PackedLinear::new(&weight, None, WeightLayout::InOut)?;
    let x = Tensor::from_vec(values(24, 2), (4, 2, 3), &Device::Cpu)?.transpose(0, 2)?;
    let out = layer.forward(&x)?;
    assert_eq!(out.dims(), [3, 2, 3]);
    let expected = forward(&layer, &x.flatten_all()?.to_vec1::<f32>()?);
    assert_eq!(out.flatten_all()?.to_vec1::<f32>()?, expected);
    Ok(())
}

#[test]
fn errors_name_both_shapes() -> Result<()> {
    let weight = Tensor::zeros((4, 3), DType::F32, &Device::Cpu)?;
    let layout = WeightLayout::InOut;
    let layer = PackedLinear::new(&weight, None, layout)?;
    let short = Tensor::zeros((2, 5), DType::F32, &Device::Cpu)?;
    let other = Tensor::zeros((5, 3), DType::F32, &Device::Cpu)?;
    let errors = [
        (layer.forward(&short).err(), ["[2, 5]", "[4, 3]"]),
        (layer.forward_into(&[0.0; 7], 2, &mut [0.0; 6]).err(), ["7 values", "(2, 4)"]),
        (layer.forward_into(&[0.0; 8], 2, &mut [0.0; 5]).err(), ["5 values", "(2, 3)"]),
        (PackedLinear::new(&weight, Some(&short), layout).err(), ["[4, 3]", "[2, 5]"]),
        (
            PackedLinear::concat(&[(&weight, None), (&other, None)], layout, PackedPrecision::F32)
                .err(),
            ["[4, 3]", "[5, 3]"],
        ),
    ];
    for (error, parts) in errors {
        let message = error.expect("shapes disagree").to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    Ok(())
}
