//! Values and gradients of every fused operation against the composed one, in `f64`, against finite
//! differences, and against themselves on other numbers of threads.

// Clippy permits this in test functions, but does not know that the helpers only serve them.

mod cases;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_fused_ops::{
    GradientCheck, WeightLayout, check_gradients, embedding, frozen_linear, layer_norm, linear,
    linear_cross_entropy,
};
use cases::{Case, values};

/// The value, and the gradient of each input for a fixed weighting of the value.
fn evaluate(
    inputs: &[Tensor],
    function: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> (Tensor, Vec<Tensor>) {
    let variables: Vec<_> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
    let arguments: Vec<_> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let output = function(&arguments).unwrap();
    let weights = values(77, output.dims()).to_dtype(output.dtype()).unwrap();
    let loss = output.mul(&weights).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    let gradients = variables.iter().map(|v| gradients.get(v).unwrap().clone()).collect();
    (output, gradients)
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, relative to the largest expected element.
fn difference(actual: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(actual.dims(), expected.dims());
    let (actual, expected) = (flat(actual), flat(expected));
    let scale = expected.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
    let differences = actual.iter().zip(&expected).map(|(a, e)| (a - e).abs() / scale);
    differences.fold(0.0, |largest, value| if value > largest { value } else { largest })
}

#[test]
fn values_and_gradients_are_those_of_the_composed_operation() {
    for Case { name, inputs, fused, composed } in cases::all() {
        let exact: Vec<_> = inputs.iter().map(|x| x.to_dtype(DType::F64).unwrap()).collect();
        let (actual, gradients) = evaluate(&inputs, &fused);
        let (expected, expected_gradients) = evaluate(&exact, &composed);
        let error = difference(&actual, &expected);
        assert!(error < 5e-6, "{name}: {error:e}");
        for (input, (actual, expected)) in gradients.iter().zip(&expected_gradients).enumerate() {
            let error = difference(actual, expected);
            assert!(error < 1e-5, "{name}, gradient of input {input}: {error:e}");
        }
    }
}

#[test]
fn other_dtypes_take_the_composed_path() {
    for Case { name, inputs, fused, composed } in cases::all() {
        let exact: Vec<_> = inputs.iter().map(|x| x.to_dtype(DType::F64).unwrap()).collect();
        let (actual, gradients) = evaluate(&exact, &fused);
        let (expected, expected_gradients) = evaluate(&exact, &composed);
        assert_eq!(actual.dtype(), DType::F64);
        assert!(difference(&actual, &expected) < 1e-12, "{name}");
        for (actual, expected) in gradients.iter().zip(&expected_gradients) {
            assert!(difference(actual, expected) < 1e-12, "{name}");
        }
    }
}

#[test]
fn gradients_pass_finite_differences() {
    for Case { name, inputs, fused, .. } in cases::all() {
        let check = GradientCheck { elements: 24, ..GradientCheck::default() };
        let report = check_gradients(fused, &inputs, check)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.compared > 0, "{name}");
    }
}

#[test]
fn neither_another_run_nor_another_number_of_threads_changes_a_bit() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let bits = |tensors: &(Tensor, Vec<Tensor>)| -> Vec<u32> {
        let all = std::iter::once(&tensors.0).chain(&tensors.1);
        all.flat_map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap())
            .map(f32::to_bits)
            .collect()
    };
    let (one, two) = (pool(1), pool(2));
    for Case { name, inputs, fused, .. } in cases::all() {
        let expected = bits(&one.install(|| evaluate(&inputs, &fused)));
        for _ in 0..2 {
            assert_eq!(expected, bits(&two.install(|| evaluate(&inputs, &fused))), "{name}");
        }
    }
}

#[test]
fn frozen_arguments_get_no_gradient() {
    let variable = |seed, shape: &[usize]| Var::from_tensor(&values(seed, shape)).unwrap();
    let (x, weight, bias) = (variable(0, &[4, 3]), variable(1, &[3, 5]), variable(2, &[5]));
    let layout = WeightLayout::InOut;

    let output = frozen_linear(&x, &weight, Some(&bias), layout).unwrap();
    let gradients = output.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&x).is_some());
    assert!(gradients.get(&weight).is_none() && gradients.get(&bias).is_none());

    let output = linear(&x, &weight.detach(), Some(&bias.detach()), layout).unwrap();
    let gradients = output.sum_all().unwrap().backward().unwrap();
    assert_eq!(gradients.get_ids().count(), 1);

    let gain = variable(5, &[3]);
    let output = layer_norm(&x, &gain.detach(), &gain, 1e-5).unwrap();
    let gradients = output.sum_all().unwrap().backward().unwrap();
    assert_eq!(gradients.get_ids().count(), 2);

    // Nothing to train at all: the loss alone, the same number.
    let (hidden, table) = (variable(3, &[4, 3]), variable(4, &[6, 3]));
    let targets = [0, 5, 2, 2];
    let trained = linear_cross_entropy(&hidden, &table, &targets, None).unwrap();
    let plain = linear_cross_entropy(&hidden.detach(), &table.detach(), &targets, None).unwrap();
    assert!(!plain.track_op());
    assert!(difference(&trained, &plain) < 1e-6);
    let only_hidden = linear_cross_entropy(&hidden, &table.detach(), &targets, None).unwrap();
    assert!(only_hidden.backward().unwrap().get(&hidden).is_some());
}

#[test]
fn a_loss_over_several_chunks_is_that_of_the_whole() {
    // 9000 rows of 1000 logits are three chunks, the last one shorter.
    let (hidden, weight) = (values(0, &[9000, 2]), values(1, &[1000, 2]));
    let targets: Vec<u32> = (0..9000).map(|i| i * 31 % 1000).collect();
    let loss = |inputs: &[Tensor]| linear_cross_entropy(&inputs[0], &inputs[1], &targets, Some(7));
    let (actual, gradients) = evaluate(&[hidden.clone(), weight.clone()], &loss);
    let exact = [hidden.to_dtype(DType::F64).unwrap(), weight.to_dtype(DType::F64).unwrap()];
    let (expected, expected_gradients) = evaluate(&exact, &loss);
    assert!(difference(&actual, &expected) < 1e-6);
    for (actual, expected) in gradients.iter().zip(&expected_gradients) {
        let scale = flat(expected).iter().fold(0f64, |largest, value| largest.max(value.abs()));
        let scaled = |tensor: &Tensor| (tensor.to_dtype(DType::F64).unwrap() / scale).unwrap();
        assert!(difference(&scaled(actual), &scaled(expected)) < 1e-5);
    }
}

#[test]
fn an_empty_batch_is_embedded_to_nothing() {
    let table = Tensor::zeros((4, 3), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(embedding(&table, &[]).unwrap().dims(), [0, 3]);
}
