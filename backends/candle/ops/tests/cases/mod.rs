//! Every operation, fused and composed, on inputs that visit its corners.

// Clippy permits this in test functions, but does not know that these only serve them.

mod attention;

use candle_core::{Device, Result, Tensor};
use candle_fused_ops::{self as fused, WeightLayout, composed};

type Function = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) fused: Function,
    pub(crate) composed: Function,
}

/// Reproducible values between -1 and 1, nowhere regular and at least 0.02 away from zero, where
/// ReLU has no derivative.
pub(crate) fn values(seed: u32, shape: &[usize]) -> Tensor {
    let mut state = 0x9E37_79B9u32.wrapping_mul(seed + 1) | 1;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let value = state as f32 / u32::MAX as f32 * 2.0 - 1.0;
            if value.abs() < 0.02 { 0.02 } else { value }
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn tensors(shapes: &[&[usize]]) -> Vec<Tensor> {
    shapes.iter().enumerate().map(|(seed, shape)| values(seed as u32, shape)).collect()
}

fn case(
    name: impl Into<String>,
    inputs: Vec<Tensor>,
    fused: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    composed: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
) -> Case {
    Case { name: name.into(), inputs, fused: Box::new(fused), composed: Box::new(composed) }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = activations();
    cases.extend(adapters());
    cases.extend(norms());
    cases.extend(linears());
    cases.extend(tables());
    cases.extend(convolutions());
    cases.extend(attention::plain());
    cases.extend(attention::prefixed());
    cases
}

fn activations() -> Vec<Case> {
    type Unary = fn(&Tensor) -> Result<Tensor>;
    let unary: [(&str, Unary, Unary); 4] = [
        ("gelu_tanh", fused::gelu_tanh, composed::gelu_tanh),
        ("gelu_erf", fused::gelu_erf, composed::gelu_erf),
        ("relu", fused::relu, composed::relu),
        ("silu", fused::silu, composed::silu),
    ];
    let mut cases = Vec::new();
    for (name, fused, composed) in unary {
        // The second is longer than the piece that one thread takes.
        for shape in [[3, 5], [130, 127]] {
            let inputs = vec![(values(0, &shape) * 4.0).unwrap()];
            cases.push(case(
                format!("{name} {shape:?}"),
                inputs,
                move |x| fused(&x[0]),
                move |x| composed(&x[0]),
            ));
        }
    }
    cases.push(case(
        "swiglu",
        tensors(&[&[9, 5], &[9, 5]]),
        |x| fused::swiglu(&x[0], &x[1]),
        |x| composed::swiglu(&x[0], &x[1]),
    ));
    cases.push(case(
        "add",
        tensors(&[&[9, 5], &[9, 5]]),
        |x| fused::add(&x[0], &x[1]),
        |x| composed::add(&x[0], &x[1]),
    ));
    cases.push(case(
        "add of views and of one tensor twice",
        tensors(&[&[5, 9]]),
        |x| {
            let t = x[0].t()?;
            fused::add(&fused::add(&t, &t)?, &t.contiguous()?)
        },
        |x| composed::add(&x[0].t()?, &(x[0].t()? * 2.0)?),
    ));
    cases
}

/// What adapters add to a model. The second shape is longer than the piece that one thread takes.
fn adapters() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in [[9, 5], [130, 127]] {
        for scale in [-2.5, 1.0] {
            cases.push(case(
                format!("scaled_add {shape:?} {scale}"),
                tensors(&[&shape, &shape]),
                move |x| fused::scaled_add(&x[0], &x[1], scale),
                move |x| composed::scaled_add(&x[0], &x[1], scale),
            ));
        }
        cases.push(case(
            format!("dropout {shape:?}"),
            tensors(&[&shape]),
            |x| fused::dropout(&x[0], 0.3, 5),
            |x| composed::dropout(&x[0], 0.3, 5),
        ));
    }
    cases.push(case(
        "scaled_add of views and of one tensor twice",
        tensors(&[&[5, 9]]),
        |x| fused::scaled_add(&x[0].t()?, &x[0].t()?, 0.5),
        |x| composed::scaled_add(&x[0].t()?, &x[0].t()?, 0.5),
    ));
    cases.push(case(
        "dropout of a view",
        tensors(&[&[5, 9]]),
        |x| fused::dropout(&x[0].t()?, 0.5, 1),
        |x| composed::dropout(&x[0].t()?, 0.5, 1),
    ));
    cases
}

fn norms() -> Vec<Case> {
    let mut cases = Vec::new();
    // One row; more rows than a piece, and a width that fills no vector.
    for (rows, width) in [(1, 4), (131, 37)] {
        let shapes: [&[usize]; 3] = [&[rows, width], &[width], &[width]];
        cases.push(case(
            format!("layer_norm {rows} x {width}"),
            tensors(&shapes),
            |x| fused::layer_norm(&x[0], &x[1], &x[2], 1e-5),
            |x| composed::layer_norm(&x[0], &x[1], &x[2], 1e-5),
        ));
        cases.push(case(
            format!("rms_norm {rows} x {width}"),
            tensors(&shapes[..2]),
            |x| fused::rms_norm(&x[0], &x[1], 1e-5),
            |x| composed::rms_norm(&x[0], &x[1], 1e-5),
        ));
    }
    cases.push(case(
        "layer_norm of a transposed view",
        tensors(&[&[6, 10], &[6], &[6]]),
        |x| fused::layer_norm(&x[0].t()?, &x[1], &x[2], 1e-5),
        |x| composed::layer_norm(&x[0].t()?, &x[1], &x[2], 1e-5),
    ));
    cases
}

fn linears() -> Vec<Case> {
    let mut cases = Vec::new();
    for layout in [WeightLayout::InOut, WeightLayout::OutIn] {
        let weight: &[usize] = if layout == WeightLayout::InOut { &[7, 5] } else { &[5, 7] };
        for rows in [1, 131] {
            let shapes: [&[usize]; 3] = [&[rows, 7], weight, &[5]];
            cases.push(case(
                format!("linear {rows} {layout:?}"),
                tensors(&shapes),
                move |x| fused::linear(&x[0], &x[1], Some(&x[2]), layout),
                move |x| composed::linear(&x[0], &x[1], Some(&x[2]), layout),
            ));
            cases.push(case(
                format!("linear {rows} {layout:?} without bias"),
                tensors(&shapes[..2]),
                move |x| fused::linear(&x[0], &x[1], None, layout),
                move |x| composed::linear(&x[0], &x[1], None, layout),
            ));
        }
        let frozen = [values(8, weight), values(9, &[5])];
        let like = move |x: &Tensor| -> Result<Vec<Tensor>> {
            frozen.iter().map(|tensor| tensor.to_dtype(x.dtype())).collect()
        };
        let like2 = like.clone();
        cases.push(case(
            format!("frozen_linear {layout:?}"),
            tensors(&[&[6, 7]]),
            move |x| {
                let frozen = like(&x[0])?;
                fused::frozen_linear(&x[0], &frozen[0], Some(&frozen[1]), layout)
            },
            move |x| {
                let frozen = like2(&x[0])?;
                composed::frozen_linear(&x[0], &frozen[0], Some(&frozen[1]), layout)
            },
        ));
    }
    // Large enough for the product to be shared out among threads.
    cases.push(case(
        "linear of views, 300 x 70 x 90",
        tensors(&[&[70, 300], &[90, 70], &[90]]),
        |x| fused::linear(&x[0].t()?, &x[1].t()?, Some(&x[2]), WeightLayout::InOut),
        |x| composed::linear(&x[0].t()?, &x[1].t()?, Some(&x[2]), WeightLayout::InOut),
    ));
    cases
}

fn tables() -> Vec<Case> {
    let mut cases = Vec::new();
    // Repeated ids, unused rows, and a table of more rows than a piece.
    let ids: Vec<u32> = (0..140).map(|i| i * i % 97).collect();
    let ids2 = ids.clone();
    cases.push(case(
        "embedding",
        tensors(&[&[150, 3]]),
        move |x| fused::embedding(&x[0], &ids),
        move |x| composed::embedding(&x[0], &ids2),
    ));
    for (count, ignore) in [(1, None), (90, None), (90, Some(3)), (2, Some(5))] {
        let targets: Vec<u32> = (0..count).map(|i| (i * 7 + 2) % 11).collect();
        let targets2 = targets.clone();
        cases.push(case(
            format!("linear_cross_entropy of {count} ignoring {ignore:?}"),
            tensors(&[&[count as usize, 6], &[11, 6]]),
            move |x| fused::linear_cross_entropy(&x[0], &x[1], &targets, ignore),
            move |x| composed::linear_cross_entropy(&x[0], &x[1], &targets2, ignore),
        ));
    }
    // Part of a larger loss, so that the incoming gradient is not one.
    cases.push(case(
        "linear_cross_entropy, scaled",
        tensors(&[&[4, 6], &[11, 6]]),
        |x| fused::linear_cross_entropy(&x[0], &x[1], &[1, 2, 3, 10], None)? * 3.0,
        |x| composed::linear_cross_entropy(&x[0], &x[1], &[1, 2, 3, 10], None)? * 3.0,
    ));
    cases
}

/// Texts shorter and longer than the convolutions are wide, of even and odd widths.
fn convolutions() -> Vec<Case> {
    [(vec![5], vec![(1, 3)]), (vec![1, 4, 2], vec![(1, 2), (2, 3), (5, 1)])]
        .map(|(lengths, sizes)| {
            let convolutions = fused::TextConvolutions { lengths, sizes };
            let rows = convolutions.lengths.iter().sum();
            // Far apart, for a difference must not change which token is the highest.
            let inputs = tensors(&[&[rows, convolutions.taps()], &[convolutions.channels()]])
                .iter()
                .map(|input| (input * 8.0).unwrap())
                .collect();
            let same = convolutions.clone();
            case(
                format!("convolve_and_pool of {convolutions:?}"),
                inputs,
                move |x| fused::convolve_and_pool(&x[0], &x[1], &convolutions),
                move |x| composed::convolve_and_pool(&x[0], &x[1], &same),
            )
        })
        .into()
}
