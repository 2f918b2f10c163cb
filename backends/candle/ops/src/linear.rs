//! Affine maps, trained or frozen.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use crate::buffer::{ROWS, build, column_sums};
use crate::floats::{fusable, gradient_of, read, slice};
use crate::matmul::{Matrix, Old, Threads, multiply, product};
use crate::{check, composed};

/// How a weight matrix is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightLayout {
    /// `(in, out)`, as GPT-2's `Conv1D` does.
    InOut,
    /// `(out, in)`, as PyTorch's `nn.Linear` does.
    OutIn,
}

impl WeightLayout {
    /// The widths of what goes in and what comes out, of a matrix of this many rows and columns.
    fn widths(self, (rows, columns): (usize, usize)) -> (usize, usize) {
        match self {
            Self::InOut => (rows, columns),
            Self::OutIn => (columns, rows),
        }
    }

    /// The stored weight as an `(in, out)` matrix.
    fn view(self, weight: &[f32], (input, output): (usize, usize)) -> Matrix<'_> {
        match self {
            Self::InOut => Matrix::new(weight, input, output),
            Self::OutIn => Matrix::new(weight, output, input).t(),
        }
    }
}

/// `x W + bias`: `x` is `(N, in)`, `weight` `(in, out)` or `(out, in)` by `layout`, `bias` `(out)`,
/// the result `(N, out)`.
///
/// # Errors
/// If the shapes do not fit, or the devices or dtypes differ.
pub fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    layout: WeightLayout,
) -> Result<Tensor> {
    check_shapes("linear", x, weight, bias, layout)?;
    match bias {
        Some(bias) if fusable(&[x, weight, bias]) => x.contiguous()?.apply_op3(
            &weight.contiguous()?,
            &bias.contiguous()?,
            LinearWithBias(layout),
        ),
        None if fusable(&[x, weight]) => {
            x.contiguous()?.apply_op2(&weight.contiguous()?, Linear(layout))
        }
        _ => composed::linear(x, weight, bias, layout),
    }
}

/// [`linear`] whose weight and bias get no gradient, even if they are variables.
///
/// candle's own product computes and keeps the gradient of a frozen factor too.
///
/// # Errors
/// Those of [`linear`].
pub fn frozen_linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    layout: WeightLayout,
) -> Result<Tensor> {
    check_shapes("frozen_linear", x, weight, bias, layout)?;
    let mut all = vec![x, weight];
    all.extend(bias);
    if !fusable(&all) {
        return composed::frozen_linear(x, weight, bias, layout);
    }
    let op = FrozenLinear {
        weight: weight.contiguous()?.detach(),
        bias: bias.map(|bias| bias.contiguous().map(|bias| bias.detach())).transpose()?,
        layout,
    };
    x.contiguous()?.apply_op1(op)
}

fn check_shapes(
    op: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    layout: WeightLayout,
) -> Result<()> {
    let (_, width) = check::matrix(op, "x", x)?;
    let (input, output) = layout.widths(check::matrix(op, "weight", weight)?);
    if width != input {
        candle_core::bail!(
            "{op}: x of shape {:?} does not fit weight of shape {:?} read as {layout:?}: \
             {width} columns against {input} inputs",
            x.dims(),
            weight.dims(),
        )
    }
    match bias {
        Some(bias) => check::vector(op, "bias", bias, output, ("weight", weight)),
        None => Ok(()),
    }
}

/// `x weight + bias`, of shape `(rows, columns)`.
fn affine(
    x: Matrix<'_>,
    weight: Matrix<'_>,
    bias: Option<&[f32]>,
    (rows, columns): (usize, usize),
) -> Vec<f32> {
    let Some(bias) = bias.filter(|bias| !bias.is_empty()) else {
        return product(x, weight);
    };
    // The product is added to rows that already hold the bias: it loads them either way.
    let mut output = build(rows * columns, ROWS * columns, |_, piece| {
        piece.chunks_exact_mut(columns).for_each(|row| row.copy_from_slice(bias));
    });
    multiply(&mut output, Old::Keep, 1.0, x, weight, Threads::Pool);
    output
}

fn forward(
    x: (&CpuStorage, &Layout),
    weight: (&CpuStorage, &Layout),
    bias: Option<&[f32]>,
    layout: WeightLayout,
) -> Result<(CpuStorage, Shape)> {
    let (rows, _) = x.1.shape().dims2()?;
    let widths = layout.widths(weight.1.shape().dims2()?);
    let output = affine(
        Matrix::new(slice(x.0, x.1)?, rows, widths.0),
        layout.view(slice(weight.0, weight.1)?, widths),
        bias,
        (rows, widths.1),
    );
    Ok((CpuStorage::F32(output), Shape::from((rows, widths.1))))
}

/// `dx = dy W^T`, if a variable leads to `x`.
fn gradient_of_input(
    x: &Tensor,
    weight: &Tensor,
    gradient: &Tensor,
    layout: WeightLayout,
) -> Result<Option<Tensor>> {
    if !x.track_op() {
        return Ok(None);
    }
    let widths = layout.widths(weight.dims2()?);
    let (gradient, weight) = (read(gradient)?, read(weight)?);
    let gradient = Matrix::new(&gradient, x.dim(0)?, widths.1);
    let to_x = product(gradient, layout.view(&weight, widths).t());
    gradient_of(x, to_x)
}

/// `dW = x^T dy` in the weight's own layout, if a variable leads to it.
fn gradient_of_weight(
    x: &Tensor,
    weight: &Tensor,
    gradient: &Tensor,
    layout: WeightLayout,
) -> Result<Option<Tensor>> {
    if !weight.track_op() {
        return Ok(None);
    }
    let (rows, (input, output)) = (x.dim(0)?, layout.widths(weight.dims2()?));
    let (x, gradient) = (read(x)?, read(gradient)?);
    let (x, gradient) = (Matrix::new(&x, rows, input), Matrix::new(&gradient, rows, output));
    let to_weight = match layout {
        WeightLayout::InOut => product(x.t(), gradient),
        WeightLayout::OutIn => product(gradient.t(), x),
    };
    gradient_of(weight, to_weight)
}

struct LinearWithBias(WeightLayout);

impl CustomOp3 for LinearWithBias {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let bias = slice(bias, bias_layout)?;
        forward((x, x_layout), (weight, weight_layout), Some(bias), self.0)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let to_bias = if bias.track_op() {
            gradient_of(bias, column_sums(&read(&gradient)?, bias.elem_count()))?
        } else {
            None
        };
        Ok((
            gradient_of_input(x, weight, &gradient, self.0)?,
            gradient_of_weight(x, weight, &gradient, self.0)?,
            to_bias,
        ))
    }
}

struct Linear(WeightLayout);

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        forward((x, x_layout), (weight, weight_layout), None, self.0)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        Ok((
            gradient_of_input(x, weight, &gradient, self.0)?,
            gradient_of_weight(x, weight, &gradient, self.0)?,
        ))
    }
}

struct FrozenLinear {
    weight: Tensor,
    bias: Option<Tensor>,
    layout: WeightLayout,
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "frozen_linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, x_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, _) = x_layout.shape().dims2()?;
        let widths = self.layout.widths(self.weight.dims2()?);
        let weight = read(&self.weight)?;
        let bias = self.bias.as_ref().map(read).transpose()?;
        let output = affine(
            Matrix::new(slice(x, x_layout)?, rows, widths.0),
            self.layout.view(&weight, widths),
            bias.as_deref(),
            (rows, widths.1),
        );
        Ok((CpuStorage::F32(output), Shape::from((rows, widths.1))))
    }

    fn bwd(&self, x: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gradient_of_input(x, &self.weight, &gradient.contiguous()?, self.layout)
    }
}
