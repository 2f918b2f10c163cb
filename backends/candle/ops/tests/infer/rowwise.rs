//! Everything that works row by row or element by element.

use candle_core::Result;
use candle_fused_ops::infer::{
    HeadColumns, Rows, add_assign, add_scaled_columns, apply_rope, gather_add_rows, gather_rows,
    gelu_erf, gelu_tanh, layer_norm_rows, log_softmax_pick, relu, rms_norm_rows, rope_table, silu,
    silu_mul,
};

use crate::{bits, error, on_threads, values};

/// Rows enough for several threads.
const MANY: usize = 700;

fn scaled(n: usize, seed: u32, scale: f32) -> Vec<f32> {
    values(n, seed).into_iter().map(|value| value * scale).collect()
}

#[test]
fn norms_agree_with_f64() -> Result<()> {
    for width in [1, 16, 37, 768] {
        let (x, weight, bias) = (values(3 * width, 1), values(width, 2), values(width, 3));
        let (mut layer, mut rms) = (vec![0.0; 3 * width], vec![0.0; 3 * width]);
        layer_norm_rows(&x, &weight, Some(&bias), 1e-5, &mut layer)?;
        rms_norm_rows(&x, &weight, 1e-6, &mut rms)?;
        let (mut layer_reference, mut rms_reference) = (Vec::new(), Vec::new());
        for row in x.chunks(width) {
            let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            let mean = row.iter().sum::<f64>() / width as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let square = row.iter().map(|x| x * x).sum::<f64>() / width as f64;
            for (i, x) in row.iter().enumerate() {
                let (weight, bias) = (f64::from(weight[i]), f64::from(bias[i]));
                layer_reference.push((x - mean) / (variance + 1e-5).sqrt() * weight + bias);
                rms_reference.push(x / (square + 1e-6).sqrt() * weight);
            }
        }
        assert!(error(&layer, &layer_reference) < 1e-6);
        assert!(error(&rms, &rms_reference) < 1e-6);
    }
    Ok(())
}

#[test]
fn norms_do_not_see_other_rows() -> Result<()> {
    let width = 773;
    let (x, weight) = (values(MANY * width, 1), values(width, 2));
    let run = |x: &[f32]| {
        let (mut layer, mut rms) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        layer_norm_rows(x, &weight, None, 1e-5, &mut layer).unwrap();
        rms_norm_rows(x, &weight, 1e-5, &mut rms).unwrap();
        (bits(&layer), bits(&rms))
    };
    let (layer, rms): (Vec<_>, Vec<_>) = x.chunks(width).map(run).unzip();
    for threads in [1, 3] {
        assert_eq!(on_threads(threads, || run(&x)), (layer.concat(), rms.concat()));
    }
    Ok(())
}

/// Error function by its Maclaurin series, enough terms for |x| < 6.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

#[test]
fn activations_agree_with_f64() -> Result<()> {
    let x = scaled(4001, 1, 7.0);
    let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
    let (mut tanh, mut erfs) = (x.clone(), x.clone());
    gelu_tanh(&mut tanh);
    gelu_erf(&mut erfs);
    let slope = (2.0 / std::f64::consts::PI).sqrt();
    for ((x, tanh), erfs) in wide.iter().zip(tanh).zip(erfs) {
        let expected = 0.5 * x * (1.0 + (slope * (x + 0.044715 * x.powi(3))).tanh());
        assert!((f64::from(tanh) - expected).abs() < 2e-7 * (1.0 + x.abs()), "{x}: {tanh}");
        let expected = 0.5 * x * (1.0 + erf(x / 2f64.sqrt()));
        assert!((f64::from(erfs) - expected).abs() < 3e-7 * (1.0 + x.abs()), "{x}: {erfs}");
    }

    let (mut plain, mut swish) = (x.clone(), x.clone());
    relu(&mut plain);
    silu(&mut swish);
    assert!(x.iter().zip(plain).all(|(x, relu)| relu == x.max(0.0)));
    let expected: Vec<f64> = wide.iter().map(|x| x / (1.0 + (-x).exp())).collect();
    assert!(error(&swish, &expected) < 1e-6);

    let fused = scaled(5 * 2 * 37, 2, 7.0);
    let mut out = vec![0.0; 5 * 37];
    let columns = |offset| Rows::columns(&fused, 2 * 37, offset);
    silu_mul(columns(0), columns(37), 37, &mut out)?;
    let expected: Vec<f64> = fused
        .chunks(2 * 37)
        .flat_map(|row| (0..37).map(|i| (f64::from(row[i]), f64::from(row[37 + i]))))
        .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
        .collect();
    assert!(error(&out, &expected) < 1e-6);
    Ok(())
}

#[test]
fn activations_saturate() {
    let extremes = [f32::NEG_INFINITY, -1e30, -60.0, 60.0, 1e30, f32::NAN];
    type InPlace = fn(&mut [f32]);
    let functions: [(InPlace, f32); 4] =
        [(gelu_tanh, 1e-30), (gelu_erf, 1e-30), (relu, 0.0), (silu, 1e-23)];
    for (function, remainder) in functions {
        let mut out = extremes;
        function(&mut out);
        assert!(out[2].abs() <= remainder && out[5].is_nan());
        assert_eq!(out[3..5], extremes[3..5]);
    }
}

#[test]
fn elements_do_not_see_their_place() {
    let x = scaled(MANY * 773, 3, 5.0);
    let up = values(x.len(), 4);
    let run = |x: &[f32], up: &[f32]| {
        let (mut tanh, mut erfs, mut sum) = (x.to_vec(), x.to_vec(), x.to_vec());
        let (mut plain, mut swish) = (x.to_vec(), x.to_vec());
        let mut gated = vec![0.0; x.len()];
        gelu_tanh(&mut tanh);
        gelu_erf(&mut erfs);
        add_assign(&mut sum, up).unwrap();
        relu(&mut plain);
        silu(&mut swish);
        silu_mul(Rows::dense(x, 1), Rows::dense(up, 1), 1, &mut gated).unwrap();
        [tanh, erfs, sum, plain, swish, gated].map(|out| bits(&out))
    };
    let whole = on_threads(3, || run(&x, &up));
    let mut pieces = [const { Vec::new() }; 6];
    for (x, up) in x.chunks(77).zip(up.chunks(77)) {
        for (piece, out) in pieces.iter_mut().zip(run(x, up)) {
            piece.extend(out);
        }
    }
    assert!(whole == pieces);
}

#[test]
fn residuals_add_up_to_the_length() -> Result<()> {
    let (mut x, y) = (values(9001, 1), values(9001, 2));
    let expected: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
    add_assign(&mut x, &y)?;
    assert_eq!(x, expected);
    let message = add_assign(&mut x, &y[1..]).expect_err("one value is missing").to_string();
    assert!(message.contains("9001 values and 9000 values"), "{message}");
    Ok(())
}

#[test]
fn scaled_updates_reach_their_columns_alone() -> Result<()> {
    let (stride, offset, columns) = (11, 3, 5);
    let (before, update) = (values(MANY * stride, 1), values(MANY * columns, 2));
    let mut out = before.clone();
    on_threads(3, || add_scaled_columns(&mut out, stride, offset, &update, columns, 0.25))?;
    for (index, (after, before)) in out.iter().zip(&before).enumerate() {
        let (row, column) = (index / stride, index % stride);
        let added = column.checked_sub(offset).filter(|column| *column < columns);
        let added = added.map_or(0.0, |column| 0.25 * update[row * columns + column]);
        assert_eq!(*after, before + added, "row {row}, column {column}");
    }
    // All columns, and the last ones.
    let mut whole = before.clone();
    add_scaled_columns(&mut whole, columns, 0, &update[..], columns, 1.0)
        .expect_err("too many rows");
    add_scaled_columns(&mut whole, stride, 0, &before, stride, 1.0)?;
    assert!(whole.iter().zip(&before).all(|(whole, before)| *whole == 2.0 * before));
    add_scaled_columns(&mut whole, stride, stride - columns, &update, columns, 0.0)
}

#[test]
fn scaled_updates_of_a_row_do_not_see_other_rows() -> Result<()> {
    // Enough for several threads.
    let (stride, offset, columns) = (1600, 70, 1500);
    let (before, update) = (values(MANY * stride, 1), values(MANY * columns, 2));
    let mut whole = before.clone();
    on_threads(3, || add_scaled_columns(&mut whole, stride, offset, &update, columns, 0.3))?;
    let mut rows = before;
    for (row, update) in rows.chunks_mut(stride).zip(update.chunks(columns)) {
        add_scaled_columns(row, stride, offset, update, columns, 0.3)?;
    }
    assert!(bits(&whole) == bits(&rows));
    Ok(())
}

#[test]
fn scaled_updates_refuse_what_does_not_fit() {
    let mut out = [0.0; 12];
    for (stride, offset, update, columns, expected) in [
        (6, 4, 6, 3, "3 columns from column 4 of 6"),
        (6, usize::MAX, 6, 3, "of 6"),
        (6, 0, 9, 3, "12 values are not (3, 6)"),
        (6, 0, 7, 3, "7 values are not rows of 3"),
        (6, 0, 0, 0, "0 values are not rows of 0"),
    ] {
        let update = vec![1.0; update];
        let message = add_scaled_columns(&mut out, stride, offset, &update, columns, 1.0)
            .expect_err("does not fit")
            .to_string();
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(out, [0.0; 12]);
}

#[test]
fn embeddings_are_rows() -> Result<()> {
    let table = values(5 * 3, 1);
    let mut out = [0.0; 6];
    gather_rows(&table, 3, &[4, 0], &mut out)?;
    assert_eq!((&out[..3], &out[3..]), (&table[12..], &table[..3]));
    gather_add_rows(&table, 3, &[4, 1], &mut out)?;
    assert_eq!((out[0], out[5]), (2.0 * table[12], table[2] + table[5]));
    let message = gather_rows(&table, 3, &[0, 5], &mut out).expect_err("no row 5").to_string();
    assert!(message.contains("id 5 at index 1 is outside of a table of (5, 3)"), "{message}");
    assert!(gather_rows(&table, 3, &[0], &mut out).is_err());
    assert!(gather_rows(&table, 0, &[0], &mut out).is_err());
    Ok(())
}

#[test]
fn rotations_agree_with_f64() -> Result<()> {
    // Two of three heads, of which the first eight of ten values are rotated.
    let columns = HeadColumns { stride: 34, offset: 4, heads: 2, head_dim: 10 };
    let factors = [1.0, 0.5, 0.25, 0.125];
    let table = rope_table(600, 8, 10_000.0, Some(&factors))?;
    let positions = [0, 599, 3];
    let original = values(3 * 34, 1);
    let mut x = original.clone();
    apply_rope(&mut x, columns, &positions, &table)?;
    let mut expected: Vec<f64> = original.iter().map(|x| f64::from(*x)).collect();
    for (row, position) in positions.into_iter().enumerate() {
        for head in 0..2 {
            let start = row * 34 + 4 + head * 10;
            for (i, factor) in factors.iter().enumerate() {
                let frequency = 10_000f64.powf(-2.0 * i as f64 / 8.0) * factor;
                let (sin, cos) = (f64::from(position) * frequency).sin_cos();
                let (low, high) = (expected[start + i], expected[start + i + 4]);
                expected[start + i] = low * cos - high * sin;
                expected[start + i + 4] = high * cos + low * sin;
            }
        }
    }
    assert!(error(&x, &expected) < 3e-5);
    let untouched = |row: usize| row * 34 + 4 + 8..row * 34 + 4 + 10;
    assert_eq!(x[untouched(1)], original[untouched(1)]);
    assert_eq!(bits(&x[..34]), bits(&original[..34]), "position 0 is not turned");
    Ok(())
}

#[test]
fn rotations_refuse_what_does_not_fit() -> Result<()> {
    let table = rope_table(4, 8, 10_000.0, None)?;
    let columns = HeadColumns { stride: 16, offset: 0, heads: 2, head_dim: 8 };
    let mut x = [0.0; 16];
    for (columns, positions, expected) in [
        (columns, vec![4], "position 4 is beyond the table"),
        (columns, vec![0, 1], "16 values are not (2, 16)"),
        (HeadColumns { offset: 1, ..columns }, vec![0], "2 heads of 8 from column 1 of 16"),
        (HeadColumns { head_dim: 6, ..columns }, vec![0], "dimension of 8 in heads of 6"),
    ] {
        let message =
            apply_rope(&mut x, columns, &positions, &table).expect_err("does not fit").to_string();
        assert!(message.contains(expected), "{message}");
    }
    assert!(rope_table(4, 7, 10_000.0, None).is_err());
    assert!(rope_table(4, 8, 10_000.0, Some(&[1.0])).is_err());
    Ok(())
}

#[test]
fn likelihoods_agree_with_f64() -> Result<()> {
    for n in [1, 15, 16, 100, 50_257] {
        let logits = scaled(n, 5, 20.0);
        let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        let best = (0..n).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
        for target in [0, n / 2, n - 1, best] {
            let (log_prob, greedy) = log_softmax_pick(&logits, target)?;
            let expected = f64::from(logits[target]) - sum.ln();
            assert!((f64::from(log_prob) - expected).abs() < 1e-5, "{log_prob} for {expected}");
            assert_eq!(greedy, target == best);
        }
    }
    assert!(log_softmax_pick(&[1.0, 2.0, 2.0], 1)?.1, "the first of equals is picked");
    assert!(!log_softmax_pick(&[1.0, 2.0, 2.0], 2)?.1);
    let message = log_softmax_pick(&[0.0; 3], 3).expect_err("no logit 3").to_string();
    assert!(message.contains("target 3 of 3 logits"), "{message}");
    Ok(())
}
