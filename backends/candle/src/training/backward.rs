//! From a loss to gradients: through one graph, or layer by layer.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};

use super::gradients::Gradients;
use super::network::Pass;

/// Adds the gradients of `weight * loss` through one graph of the whole pass; gives the loss.
pub(super) fn through_one_graph(
    pass: &Pass<'_>,
    variables: &[Var],
    gradients: &mut Gradients,
    weight: f64,
) -> Result<f32> {
    let loss = pass.loss()?;
    gradients.add(variables, &mut loss.affine(weight, 0.0)?.backward()?)?;
    loss.to_scalar()
}

/// The same layer by layer (Chen et al. 2016): `detached`, the same pass over parameters that build
/// no graph, leaves the input of every block; from the last to the first, each is computed again with
/// a graph of its own. Only one block's activations are held at a time.
pub(super) fn layer_by_layer(
    pass: &Pass<'_>,
    detached: &Pass<'_>,
    blocks: usize,
    variables: &[Var],
    gradients: &mut Gradients,
    weight: f64,
) -> Result<f32> {
    let prefix = detached.prefix()?.as_ref().map(Var::from_tensor).transpose()?;
    let prefix = prefix.as_ref();
    let mut inputs = vec![detached.embed()?];
    for index in 0..blocks {
        inputs.push(detached.block(index, &inputs[index], prefix.map(Var::as_tensor))?.detach());
    }
    let mut next = |at: &str| match inputs.pop() {
        Some(input) => Var::from_tensor(&input),
        None => bail!("nothing was kept for {at}"),
    };

    let input = next("the head")?;
    let loss = pass.head_loss(&input)?;
    let mut store = loss.affine(weight, 0.0)?.backward()?;
    let mut slope = of(&input, &mut store)?;
    gradients.add(variables, &mut store)?;

    let mut prefix_slope: Option<Tensor> = None;
    for index in (0..blocks).rev() {
        let input = next("a block")?;
        let output = pass.block(index, &input, prefix.map(Var::as_tensor))?;
        let mut store = backward(&output, &slope)?;
        slope = of(&input, &mut store)?;
        gradients.add(variables, &mut store)?;
        if let Some(prefix) = prefix {
            let here = of(prefix, &mut store)?;
            prefix_slope = Some(match prefix_slope {
                None => here,
                Some(sum) => (sum + here)?,
            });
        }
    }

    let embedded = pass.embed()?;
    if embedded.track_op() {
        gradients.add(variables, &mut backward(&embedded, &slope)?)?;
    }
    if let (Some(prefix), Some(slope)) = (pass.prefix()?, prefix_slope) {
        gradients.add(variables, &mut backward(&prefix, &slope)?)?;
    }
    loss.to_scalar()
}

/// The backward pass from a tensor whose own gradient is known.
fn backward(output: &Tensor, slope: &Tensor) -> Result<GradStore> {
    (output * slope)?.sum_all()?.backward()
}

/// The gradient of an input.
fn of(input: &Var, store: &mut GradStore) -> Result<Tensor> {
    match store.remove(input) {
        Some(gradient) => Ok(gradient.detach()),
        None => bail!("no gradient reaches an input of shape {:?}", input.dims()),
    }
}
