//! What does not fit is an error that names it.

// Clippy permits this in test functions, but does not know that the helpers only serve them.

use candle_core::{DType, Device, Result, Tensor};
use candle_fused_ops::{
    AttentionShape, GradientCheck, Rope, WeightLayout, add, causal_attention,
    causal_attention_fused, causal_attention_with_prefix, check_gradients, embedding,
    frozen_linear, layer_norm, linear, linear_cross_entropy, rms_norm, scaled_add, swiglu,
};

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

fn assert_names(result: Result<Tensor>, parts: &[&str]) {
    let message = result.unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not name {part:?}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let x = zeros(&[4, 6]);
    assert_names(layer_norm(&x, &zeros(&[5]), &zeros(&[6]), 1e-5), &["weight", "[4, 6]", "[5]"]);
    assert_names(layer_norm(&x, &zeros(&[6]), &zeros(&[7]), 1e-5), &["bias", "[4, 6]", "[7]"]);
    assert_names(rms_norm(&zeros(&[2, 4, 6]), &zeros(&[6]), 1e-5), &["matrix", "[2, 4, 6]"]);
    assert_names(add(&x, &zeros(&[6, 4])), &["[4, 6]", "[6, 4]"]);
    assert_names(scaled_add(&x, &zeros(&[6, 4]), 0.5), &["update", "[4, 6]", "[6, 4]"]);
    assert_names(swiglu(&x, &zeros(&[4, 5])), &["gate", "up", "[4, 6]", "[4, 5]"]);
    let weight = zeros(&[5, 6]);
    for op in [linear, frozen_linear] {
        assert_names(op(&x, &weight, None, WeightLayout::InOut), &["[4, 6]", "[5, 6]", "InOut"]);
        assert_names(op(&x, &weight, Some(&x), WeightLayout::OutIn), &["bias", "[5, 6]"]);
    }
    let loss = linear_cross_entropy(&x, &zeros(&[9, 7]), &[0; 4], None);
    assert_names(loss, &["[4, 6]", "[9, 7]"]);
    assert_names(linear_cross_entropy(&x, &zeros(&[9, 6]), &[0; 3], None), &["[4, 6]", "3"]);
}

#[test]
fn ids_outside_the_vocabulary_are_named() {
    let table = zeros(&[9, 6]);
    assert_names(embedding(&table, &[1, 2, 9]), &["9 at index 2", "9 tokens"]);
    let loss = linear_cross_entropy(&zeros(&[2, 6]), &table, &[3, 40], None);
    assert_names(loss, &["40 at index 1", "9 tokens"]);
    // An ignored id may lie outside; not every target may be ignored.
    let loss = |targets: &[u32]| linear_cross_entropy(&zeros(&[2, 6]), &table, targets, Some(99));
    assert!(loss(&[3, 99]).is_ok());
    assert_names(loss(&[99, 99]), &["all 2"]);
    assert_names(linear_cross_entropy(&zeros(&[0, 6]), &table, &[], None), &["no target counts"]);
}

#[test]
fn attention_names_the_part_that_does_not_fit() {
    let shape = AttentionShape {
        batch: 2,
        time: 3,
        heads: 4,
        kv_heads: 2,
        head_dim: 6,
        scale: 1.0,
        rope: None,
    };
    let (q, k) = (zeros(&[6, 24]), zeros(&[6, 12]));
    assert!(causal_attention(&q, &k, &k, &shape).is_ok());
    assert_names(causal_attention(&q, &q, &k, &shape), &["k has", "[6, 24]", "[6, 12]"]);
    assert_names(causal_attention_fused(&q, &shape), &["qkv", "[6, 24]", "[6, 48]"]);
    let with = |change: fn(&mut AttentionShape)| {
        let mut shape = shape.clone();
        change(&mut shape);
        causal_attention(&q, &k, &k, &shape)
    };
    assert_names(with(|shape| shape.kv_heads = 3), &["3 key-value heads", "4 heads"]);
    assert_names(with(|shape| shape.time = 0), &["time 0"]);
    assert_names(with(|shape| shape.rope = Rope::new(1e4, 8, 3).ok()), &["8 dimensions of 6"]);
    assert_names(with(|shape| shape.rope = Rope::new(1e4, 6, 2).ok()), &["2 positions, not 3"]);
}

#[test]
fn a_prefix_names_what_does_not_fit() {
    let mut shape = AttentionShape {
        batch: 2,
        time: 3,
        heads: 4,
        kv_heads: 2,
        head_dim: 6,
        scale: 1.0,
        rope: Rope::new(1e4, 6, 8).ok(),
    };
    let (qkv, prefix) = (zeros(&[6, 48]), zeros(&[5, 24]));
    assert!(causal_attention_with_prefix(&qkv, &prefix, &shape).is_ok());
    let with = |prefix: &[usize]| causal_attention_with_prefix(&qkv, &zeros(prefix), &shape);
    assert_names(with(&[0, 24]), &["prefix has no rows"]);
    assert_names(with(&[5, 48]), &["prefix has", "[5, 48]", "kv_heads 2", "12 columns of keys"]);
    assert_names(with(&[2, 5, 24]), &["prefix must be a matrix", "[2, 5, 24]"]);
    assert_names(with(&[6, 24]), &["8 positions", "6 of the prefix and 3 of a sequence"]);
    let narrow = causal_attention_with_prefix(&zeros(&[6, 24]), &prefix, &shape);
    assert_names(narrow, &["qkv", "[6, 24]", "[6, 48]"]);
    shape.heads = 3;
    let uneven = causal_attention_with_prefix(&qkv, &prefix, &shape);
    assert_names(uneven, &["2 key-value heads", "3 heads"]);
}

#[test]
fn a_wrong_or_missing_gradient_is_found() {
    let x = Tensor::new(&[[0.5f32, -1.0], [2.0, 0.25]], &Device::Cpu).unwrap();
    let check = |function: fn(&[Tensor]) -> Result<Tensor>| {
        check_gradients(function, std::slice::from_ref(&x), GradientCheck::default())
            .map(|report| Tensor::new(report.worst, &Device::Cpu).unwrap())
    };
    assert!(check(|x| x[0].sqr()).is_ok());
    assert_names(check(|x| x[0].detach().sqr()), &["input 0", "no gradient"]);
    // Half of the square's gradient is lost.
    assert_names(check(|x| x[0].mul(&x[0].detach())), &["input 0, element 0"]);
    assert_names(check(|x| x[0].sqr()?.affine(f64::NAN, 0.0)), &["input 0, element 0"]);
}
