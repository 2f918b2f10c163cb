//! What a prefix of keys and values means, and which of its gradients are computed.

// Clippy permits this in test functions, but does not know that the helpers only serve them.

use candle_core::{Device, Tensor, Var};
use candle_fused_ops::{
    AttentionShape, Rope, causal_attention_fused, causal_attention_with_prefix,
};

const BATCH: usize = 3;
const PREFIX: usize = 6;
const TIME: usize = 70;
const KEYS: usize = 2 * 8;

fn shape(time: usize, rope: Option<Rope>) -> AttentionShape {
    AttentionShape { batch: BATCH, time, heads: 4, kv_heads: 2, head_dim: 8, scale: 0.4, rope }
}

/// Reproducible values between -1 and 1 without a pattern.
fn values(seed: u64, shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>() as u64;
    let values = (0..count).map(|index| ((index * index + 7919 * seed) as f64).sin() as f32);
    Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
}

fn largest(tensor: &Tensor) -> f32 {
    tensor.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// Rows of heads of eight, row `i` turned to position `i`.
fn turned(rows: &Tensor, rope: &Rope) -> Tensor {
    let values: Vec<Vec<f32>> = rows.to_vec2().unwrap();
    let turned: Vec<f32> = values
        .iter()
        .zip(rope.cos().chunks(4).zip(rope.sin().chunks(4)))
        .flat_map(|(row, angles)| row.chunks(8).map(move |head| (head, angles)))
        .flat_map(|(head, (cos, sin))| {
            (0..8).map(|i| {
                let other = if i < 4 { -head[i + 4] } else { head[i - 4] };
                head[i] * cos[i % 4] + other * sin[i % 4]
            })
        })
        .collect();
    Tensor::from_vec(turned, rows.dims(), &Device::Cpu).unwrap()
}

#[test]
fn a_prefix_is_a_beginning_that_all_sequences_share() {
    for rope in [None, Some(Rope::new(100.0, 8, PREFIX + TIME).unwrap())] {
        let (beginning, own) = (values(1, &[PREFIX, 64]), values(2, &[BATCH, TIME, 64]));
        let shared = beginning.unsqueeze(0).unwrap().repeat((BATCH, 1, 1)).unwrap();
        let whole = Tensor::cat(&[&shared, &own], 1).unwrap();
        let whole = whole.reshape((BATCH * (PREFIX + TIME), 64)).unwrap();
        let expected = causal_attention_fused(&whole, &shape(PREFIX + TIME, rope.clone())).unwrap();
        let expected = expected.reshape((BATCH, PREFIX + TIME, 32)).unwrap();
        let expected = expected.narrow(1, PREFIX, TIME).unwrap();

        let keys = beginning.narrow(1, 32, KEYS).unwrap();
        let keys = rope.as_ref().map_or(keys.clone(), |rope| turned(&keys, rope));
        let values = beginning.narrow(1, 32 + KEYS, KEYS).unwrap();
        let prefix = Tensor::cat(&[&keys, &values], 1).unwrap();
        let own = own.reshape((BATCH * TIME, 64)).unwrap();
        let actual = causal_attention_with_prefix(&own, &prefix, &shape(TIME, rope)).unwrap();
        let actual = actual.reshape((BATCH, TIME, 32)).unwrap();
        let error = largest(&(actual - expected).unwrap());
        assert!(error < 2e-6, "{error}");
    }
}

#[test]
fn only_what_a_variable_leads_to_gets_a_gradient() {
    let variable = |seed, shape: &[usize]| Var::from_tensor(&values(seed, shape)).unwrap();
    let (qkv, prefix) = (variable(1, &[BATCH * TIME, 64]), variable(2, &[PREFIX, 2 * KEYS]));
    let rope = Rope::new(100.0, 8, PREFIX + TIME).unwrap();
    let gradients = |qkv: &Tensor, prefix: &Tensor| {
        let output = causal_attention_with_prefix(qkv, prefix, &shape(TIME, Some(rope.clone())));
        output.unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap()
    };
    let both = gradients(&qkv, &prefix);
    let (fixed_qkv, fixed_prefix) = (qkv.detach(), prefix.detach());
    for (variable, alone) in
        [(&qkv, gradients(&qkv, &fixed_prefix)), (&prefix, gradients(&fixed_qkv, &prefix))]
    {
        assert_eq!(alone.get_ids().count(), 1);
        let (expected, actual) = (both.get(variable).unwrap(), alone.get(variable).unwrap());
        let error = largest(&(actual - expected).unwrap()) / largest(expected);
        assert!(error < 1e-6, "{error}");
    }
}
