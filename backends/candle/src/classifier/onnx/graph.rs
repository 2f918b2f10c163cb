//! From weights to a graph that is exact under padding.

use half::f16;
use prost::Message as _;

use super::builder::{Builder, Name, int, ints};
use crate::classifier::network::{HIDDEN, HIDDEN_BIAS, LOGITS, LOGITS_BIAS, Sizes, TAP_BIAS, TAPS};
use crate::classifier::rounded::Rounded;

/// The bytes of `model.onnx`: `input_ids` and `attention_mask`, both int64 `(batch, sequence)`, to
/// `logits`, float32 `(batch, attributes)`.
///
/// A masked position is 0 before the convolutions and 0 after them, as the positions beyond the ends
/// of a text are: logits do not depend on padding.
pub(in crate::classifier) fn to_onnx(rounded: &Rounded, name: &str) -> Vec<u8> {
    let sizes = &rounded.sizes;
    let mut g = Builder::default();
    let (ids, mask) = ("input_ids".to_owned(), "attention_mask".to_owned());
    let mask = g.widen(&mask);
    let [per_token, per_channel] = [2, 1].map(|axis| {
        let axis = g.axis(axis);
        g.op("Unsqueeze", &[&mask, &axis], Vec::new())
    });
    let axis = g.axis(1);
    let count = g.op("ReduceSum", &[&mask, &axis], vec![int("keepdims", 1)]);

    let rows = g.bytes(&rounded.bytes, &[sizes.vocabulary, sizes.width]);
    let rows = g.op("Gather", &[&rows, &ids], vec![int("axis", 0)]);
    let rows = g.widen(&rows);
    let scales = g.floats(&rounded.scales, &[sizes.vocabulary, 1]);
    let scales = g.op("Gather", &[&scales, &ids], vec![int("axis", 0)]);
    let vectors = g.op("Mul", &[&rows, &scales], Vec::new());
    let vectors = g.op("Mul", &[&vectors, &per_token], Vec::new());
    let x = g.op("Transpose", &[&vectors], vec![ints("perm", &[0, 2, 1])]);

    let pooled = pooled(&mut g, rounded, &x, &per_channel, &count);
    let pooled: Vec<&Name> = pooled.iter().collect();
    let pooled = g.op("Concat", &pooled, vec![int("axis", 1)]);
    let half = |parameter: usize| &rounded.halves[parameter - 1];
    let weight = g.weight(half(HIDDEN), &[sizes.hidden, 2 * sizes.channels()]);
    let bias = g.weight(half(HIDDEN_BIAS), &[sizes.hidden]);
    let hidden = g.op("Gemm", &[&pooled, &weight, &bias], vec![int("transB", 1)]);
    let hidden = g.op("Relu", &[&hidden], Vec::new());
    let weight = g.weight(half(LOGITS), &[sizes.attributes, sizes.hidden]);
    let bias = g.weight(half(LOGITS_BIAS), &[sizes.attributes]);
    let output = "logits".to_owned();
    g.named_op("Gemm", &[&hidden, &weight, &bias], vec![int("transB", 1)], output);
    g.finish(name, &["input_ids", "attention_mask"], ("logits", sizes.attributes)).encode_to_vec()
}

/// The maximum and the mean of each convolution.
fn pooled(
    g: &mut Builder,
    rounded: &Rounded,
    x: &Name,
    per_channel: &Name,
    count: &Name,
) -> Vec<Name> {
    let Sizes { width, convolutions, .. } = &rounded.sizes;
    let taps: usize = convolutions.iter().map(|(width, channels)| width * channels).sum();
    let (mut tap, mut channel) = (0, 0);
    let mut pooled = Vec::with_capacity(2 * convolutions.len());
    for &(reach, channels) in convolutions {
        let weights = kernel(&rounded.halves[TAPS - 1], taps, *width, (tap, reach, channels));
        let weights = g.weight(&weights, &[channels, *width, reach]);
        let bias = &rounded.halves[TAP_BIAS - 1][channel..][..channels];
        let bias = g.weight(bias, &[channels]);
        let before = (reach - 1) / 2;
        let pads = [before as i64, (reach - 1 - before) as i64];
        let attributes = vec![ints("kernel_shape", &[reach as i64]), ints("pads", &pads)];
        let y = g.op("Conv", &[x, &weights, &bias], attributes);
        let y = g.op("Relu", &[&y], Vec::new());
        let y = g.op("Mul", &[&y, per_channel], Vec::new());
        pooled.push(g.op("ReduceMax", &[&y], vec![ints("axes", &[2]), int("keepdims", 0)]));
        let axis = g.axis(2);
        let sum = g.op("ReduceSum", &[&y, &axis], vec![int("keepdims", 0)]);
        pooled.push(g.op("Div", &[&sum, count], Vec::new()));
        tap += reach * channels;
        channel += channels;
    }
    pooled
}

/// A convolution's weights as ONNX has them, `(channels, width, reach)`, out of the `(width, taps)`
/// of all.
fn kernel(
    all: &[f16],
    taps: usize,
    width: usize,
    (tap, reach, channels): (usize, usize, usize),
) -> Vec<f16> {
    let mut weights = Vec::with_capacity(channels * width * reach);
    for channel in 0..channels {
        for row in 0..width {
            weights.extend((0..reach).map(|j| all[row * taps + tap + j * channels + channel]));
        }
    }
    weights
}
