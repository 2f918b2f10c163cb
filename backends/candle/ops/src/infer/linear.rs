//! Linear layers with weights packed for the multiplication kernel.

use candle_core::{DType, Error, Result, Tensor, bail};
use half::f16;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::buffer::LineAligned;
use super::parallel::{self, Shared};
use super::product::{PANEL, Product, Start, Weight};
use super::rows::check_dense;
use super::simd::{Isa, LANES};
use super::tensor::with_values;

/// Rows of one task: enough for the weights to be read rarely, few enough for the inputs to stay
/// in the second level cache.
const TASK_ROWS: usize = 96;

/// How a checkpoint stores a weight matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightLayout {
    /// (in, out), as GPT-2's `Conv1D`.
    InOut,
    /// (out, in), as `nn.Linear`.
    OutIn,
}

/// How a [`PackedLinear`] holds its weights. Sums are in `f32` with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PackedPrecision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to half precision: half the memory traffic, which bounds the speed of few rows.
    /// Weights beyond 65504 become infinite.
    F16,
}

/// `y = x W + b` for inference, with the same bits for a row in whatever batch it comes.
///
/// Weights are copied once into panels of 64 output columns, each contiguous in the order in which
/// the kernel reads it. Every output is one sequential sum over the inputs that starts at its bias;
/// it depends on nothing but its row, its column and the processor's instruction set.
#[derive(Debug)]
pub struct PackedLinear {
    in_features: usize,
    out_features: usize,
    panels: Panels,
    bias: Vec<f32>,
}

/// Panel `p` starts at `p * PANEL * in` and is (in, width); the last is narrowed to whole vectors.
#[derive(Debug)]
enum Panels {
    F32(LineAligned<f32>),
    F16(LineAligned<f16>),
}

impl PackedLinear {
    /// Packs one weight matrix and its bias of (out).
    ///
    /// # Errors
    ///
    /// If the weight is not a matrix, the bias does not have its outputs, or either is not
    /// floating point.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, layout: WeightLayout) -> Result<Self> {
        Self::concat(&[(weight, bias)], layout, PackedPrecision::F32)
    }

    /// Packs several weight matrices of the same input side by side: their outputs come as the
    /// consecutive columns of one row. A part without a bias has a bias of zero.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and if there is no part or the parts differ in their inputs.
    pub fn concat(
        parts: &[(&Tensor, Option<&Tensor>)],
        layout: WeightLayout,
        precision: PackedPrecision,
    ) -> Result<Self> {
        let Some((first, _)) = parts.first() else {
            bail!("packed linear: no weights");
        };
        let (in_features, _) = features(first, layout)?;
        let mut weights = Vec::with_capacity(parts.len());
        let mut biases = Vec::new();
        for (weight, bias) in parts {
            let (part_in, part_out) = features(weight, layout)?;
            if part_in != in_features {
                return Err(mismatch(first, weight, "packed linear: concatenated weights"));
            }
            match bias {
                Some(bias) if bias.dims() != [part_out] => {
                    return Err(mismatch(weight, bias, "packed linear: weight and bias"));
                }
                Some(bias) => biases.extend(bias.to_dtype(DType::F32)?.to_vec1::<f32>()?),
                None => biases.resize(biases.len() + part_out, 0.0),
            }
            weights.push(weight.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        }
        let columns = Columns { weights, layout, in_features };
        let panels = match precision {
            PackedPrecision::F32 => Panels::F32(columns.pack(0.0, |weight| weight)),
            PackedPrecision::F16 => Panels::F16(columns.pack(f16::ZERO, f16::from_f32)),
        };
        Ok(Self { in_features, out_features: biases.len(), panels, bias: biases })
    }

    /// Width of an input row.
    pub fn in_features(&self) -> usize {
        self.in_features
    }

    /// Width of an output row.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Bytes that the packed weights and the bias take.
    pub fn size_in_bytes(&self) -> usize {
        let weights = match &self.panels {
            Panels::F32(panels) => size_of_val::<[f32]>(panels),
            Panels::F16(panels) => size_of_val::<[f16]>(panels),
        };
        weights + size_of_val::<[f32]>(&self.bias)
    }

    /// Writes `x W + b` to `out`: from (rows, in) to (rows, out).
    ///
    /// # Errors
    ///
    /// If either slice is not of this shape.
    pub fn forward_into(&self, x: &[f32], rows: usize, out: &mut [f32]) -> Result<()> {
        check_dense("packed linear: input", x, rows, self.in_features)?;
        check_dense("packed linear: output", out, rows, self.out_features)?;
        match &self.panels {
            Panels::F32(panels) => self.multiply(panels, x, rows, out),
            Panels::F16(panels) => self.multiply(panels, x, rows, out),
        }
        Ok(())
    }

    /// `x W + b` of `f32` on the CPU: from (..., in) to (..., out). Keeps no gradient.
    ///
    /// # Errors
    ///
    /// If the last dimension is not the layer's input, or the tensor is not of `f32` on the CPU.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        let Some(last) = shape.last_mut().filter(|last| **last == self.in_features) else {
            return Err(Error::ShapeMismatchBinaryOp {
                lhs: x.shape().clone(),
                rhs: (self.in_features, self.out_features).into(),
                op: "packed linear",
            });
        };
        *last = self.out_features;
        let rows = shape[..shape.len() - 1].iter().product::<usize>();
        let mut out = vec![0.0; rows * self.out_features];
        with_values(x, |x| self.forward_into(x, rows, &mut out))?;
        Tensor::from_vec(out, shape, x.device())
    }

    fn multiply<W: Weight>(&self, panels: &[W], x: &[f32], rows: usize, out: &mut [f32]) {
        let isa = Isa::detect();
        let across = self.out_features.div_ceil(PANEL);
        let chunks = rows.div_ceil(TASK_ROWS);
        let out = Shared::new(out);
        // Fetching a weight takes as long as some four multiply-adds.
        let cost = (rows + 4) * self.in_features * self.out_features;
        // Neighbouring tasks share their rows, which are then warm in the cache.
        parallel::for_each(chunks * across, cost, |task| {
            let (chunk, column) = (task / across, task % across * PANEL);
            let row = rows * chunk / chunks;
            let rows = rows * (chunk + 1) / chunks - row;
            let columns = PANEL.min(self.out_features - column);
            // SAFETY: each task writes its own block of rows and columns.
            let out = unsafe {
                out.block(row * self.out_features + column, rows, columns, self.out_features)
            };
            Product {
                x: &x[row * self.in_features..],
                x_stride: self.in_features,
                depth: self.in_features,
                w: &panels[column * self.in_features..],
                w_stride: columns.next_multiple_of(LANES),
                start: Start::Bias(&self.bias[column..]),
                out,
            }
            .compute(isa);
        });
    }
}

/// (in, out) of a weight matrix.
fn features(weight: &Tensor, layout: WeightLayout) -> Result<(usize, usize)> {
    let (rows, columns) = weight.dims2()?;
    Ok(match layout {
        WeightLayout::InOut => (rows, columns),
        WeightLayout::OutIn => (columns, rows),
    })
}

fn mismatch(lhs: &Tensor, rhs: &Tensor, op: &'static str) -> Error {
    Error::ShapeMismatchBinaryOp { lhs: lhs.shape().clone(), rhs: rhs.shape().clone(), op }
}

/// Weight matrices side by side, as loaded.
struct Columns {
    weights: Vec<Vec<f32>>,
    layout: WeightLayout,
    in_features: usize,
}

impl Columns {
    /// All weights in panels, converted.
    fn pack<W: Weight>(&self, zero: W, convert: impl Fn(f32) -> W + Sync) -> LineAligned<W> {
        // Matrix and column inside of it for every column of the whole.
        let origins: Vec<(&[f32], usize)> = self
            .weights
            .iter()
            .flat_map(|weight| {
                let columns = weight.len().checked_div(self.in_features).unwrap_or(0);
                (0..columns).map(move |column| (weight.as_slice(), column))
            })
            .collect();
        let padded = origins.len().next_multiple_of(LANES);
        let mut panels = LineAligned::filled(zero, padded * self.in_features);
        let panel_size = (PANEL * self.in_features).max(1);
        panels.par_chunks_mut(panel_size).zip(origins.par_chunks(PANEL)).for_each(
            |(panel, origins)| {
                let width = origins.len().next_multiple_of(LANES);
                for (to, &(weight, column)) in origins.iter().enumerate() {
                    let (first, step) = match self.layout {
                        WeightLayout::InOut => (column, weight.len() / self.in_features),
                        WeightLayout::OutIn => (column * self.in_features, 1),
                    };
                    let inputs = weight[first..].iter().step_by(step).take(self.in_features);
                    for (k, &weight) in inputs.enumerate() {
                        panel[k * width + to] = convert(weight);
                    }
                }
            },
        );
        panels
    }
}
