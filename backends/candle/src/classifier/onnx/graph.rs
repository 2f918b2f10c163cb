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
/// of a text are: logits do not depend on padding. Those of several networks are the logits of the mean
/// of their probabilities, so that a reader need not know how many there are.
pub(in crate::classifier) fn to_onnx(sizes: &Sizes, networks: &[Rounded], name: &str) -> Vec<u8> {
    let mut g = Builder::default();
    let mask = g.widen(&"attention_mask".to_owned());
    let [per_token, per_channel] = [2, 1].map(|axis| {
        let axis = g.axis(axis);
        g.op("Unsqueeze", &[&mask, &axis], Vec::new())
    });
    let axis = g.axis(1);
    let count = g.op("ReduceSum", &[&mask, &axis], vec![int("keepdims", 1)]);
    let texts = Texts { ids: "input_ids".to_owned(), per_token, per_channel, count };
    let output = "logits".to_owned();
    match networks {
        [network] => {
            judge(&mut g, network, &texts, Some(output));
        }
        networks => {
            let logits = networks.iter().map(|network| judge(&mut g, network, &texts, None));
            let logits: Vec<Name> = logits.collect();
            mean(&mut g, &logits, output);
        }
    }
    g.finish(name, &["input_ids", "attention_mask"], ("logits", sizes.attributes)).encode_to_vec()
}

/// What every network reads of a batch.
struct Texts {
    ids: Name,
    /// The mask, `(batch, sequence, 1)`.
    per_token: Name,
    /// The mask, `(batch, 1, sequence)`.
    per_channel: Name,
    /// Tokens of each text, `(batch, 1)`.
    count: Name,
}

/// The logits of one network.
fn judge(g: &mut Builder, rounded: &Rounded, texts: &Texts, output: Option<Name>) -> Name {
    let sizes = &rounded.sizes;
    let rows = g.bytes(&rounded.bytes, &[sizes.vocabulary, sizes.width]);
    let rows = g.op("Gather", &[&rows, &texts.ids], vec![int("axis", 0)]);
    let rows = g.widen(&rows);
    let scales = g.floats(&rounded.scales, &[sizes.vocabulary, 1]);
    let scales = g.op("Gather", &[&scales, &texts.ids], vec![int("axis", 0)]);
    let vectors = g.op("Mul", &[&rows, &scales], Vec::new());
    let vectors = g.op("Mul", &[&vectors, &texts.per_token], Vec::new());
    let x = g.op("Transpose", &[&vectors], vec![ints("perm", &[0, 2, 1])]);

    let pooled = pooled(g, rounded, &x, texts);
    let pooled: Vec<&Name> = pooled.iter().collect();
    let pooled = g.op("Concat", &pooled, vec![int("axis", 1)]);
    let half = |parameter: usize| &rounded.halves[parameter - 1];
    let weight = g.weight(half(HIDDEN), &[sizes.hidden, 2 * sizes.channels()]);
    let bias = g.weight(half(HIDDEN_BIAS), &[sizes.hidden]);
    let hidden = g.op("Gemm", &[&pooled, &weight, &bias], vec![int("transB", 1)]);
    let hidden = g.op("Relu", &[&hidden], Vec::new());
    let weight = g.weight(half(LOGITS), &[sizes.attributes, sizes.hidden]);
    let bias = g.weight(half(LOGITS_BIAS), &[sizes.attributes]);
    let (inputs, attributes) = ([&hidden, &weight, &bias], vec![int("transB", 1)]);
    match output {
        Some(output) => g.named_op("Gemm", &inputs, attributes, output),
        None => g.op("Gemm", &inputs, attributes),
    }
}

/// The logits of the mean of the probabilities `p` that several logits stand for. With `q = 1 - p` they
/// are `ln(sum of p) - ln(sum of q)`, and `q` is the sigmoid of the logit's negative, which is exact
/// where `1 - p` has been rounded to 0.
fn mean(g: &mut Builder, logits: &[Name], output: Name) {
    let mut logarithm = |is_negative: bool| {
        let mut share = |logit: &Name| match is_negative {
            true => {
                let negative = g.op("Neg", &[logit], Vec::new());
                g.op("Sigmoid", &[&negative], Vec::new())
            }
            false => g.op("Sigmoid", &[logit], Vec::new()),
        };
        let shares: Vec<Name> = logits.iter().map(&mut share).collect();
        let shares: Vec<&Name> = shares.iter().collect();
        let sum = g.op("Sum", &shares, Vec::new());
        g.op("Log", &[&sum], Vec::new())
    };
    let [yes, no] = [false, true].map(&mut logarithm);
    g.named_op("Sub", &[&yes, &no], Vec::new(), output);
}

/// The maximum and the mean of each convolution.
fn pooled(g: &mut Builder, rounded: &Rounded, x: &Name, texts: &Texts) -> Vec<Name> {
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
        let y = g.op("Mul", &[&y, &texts.per_channel], Vec::new());
        pooled.push(g.op("ReduceMax", &[&y], vec![ints("axes", &[2]), int("keepdims", 0)]));
        let axis = g.axis(2);
        let sum = g.op("ReduceSum", &[&y, &axis], vec![int("keepdims", 0)]);
        pooled.push(g.op("Div", &[&sum, &texts.count], Vec::new()));
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
