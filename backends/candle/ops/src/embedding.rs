//! Rows of a table by id.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::buffer::{ROWS, build};
use crate::floats::{fusable, gradient_of, read, slice};
use crate::{check, composed};

/// Row `ids[n]` of `weight` for every token `n`: `weight` is `(V, d)`, the result `(N, d)`.
///
/// # Errors
/// If `weight` is not a matrix, or an id is not below `V`.
pub fn embedding(weight: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let (size, _) = check::matrix("embedding", "weight", weight)?;
    check::ids("embedding", "id", ids.iter().copied().enumerate(), size)?;
    if !fusable(&[weight]) {
        return composed::embedding(weight, ids);
    }
    weight.contiguous()?.apply_op1(Embedding { ids: ids.to_vec() })
}

struct Embedding {
    ids: Vec<u32>,
}

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, weight: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let shape = Shape::from((self.ids.len(), width));
        let weight = slice(weight, layout)?;
        if width == 0 {
            return Ok((CpuStorage::F32(Vec::new()), shape));
        }
        let rows = build(self.ids.len() * width, ROWS * width, |index, piece| {
            let ids = &self.ids[index * ROWS..];
            for (row, &id) in piece.chunks_exact_mut(width).zip(ids) {
                row.copy_from_slice(&weight[id as usize * width..][..width]);
            }
        });
        Ok((CpuStorage::F32(rows), shape))
    }

    fn bwd(&self, weight: &Tensor, _rows: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (size, width) = weight.dims2()?;
        let gradient = gradient.contiguous()?;
        let guard = read(&gradient)?;
        let gradient = &*guard;
        // Threads share out the table, not the tokens: each row is then summed by one thread, and
        // in the order of the tokens.
        let mut tokens: Vec<(u32, usize)> =
            self.ids.iter().enumerate().map(|(token, &id)| (id, token)).collect();
        tokens.sort_unstable();
        let table = build(size * width, ROWS * width, |index, piece| {
            let first = index * ROWS;
            let begin = tokens.partition_point(|&(id, _)| (id as usize) < first);
            let end = tokens.partition_point(|&(id, _)| (id as usize) < first + ROWS);
            for &(id, token) in &tokens[begin..end] {
                let row = &mut piece[(id as usize - first) * width..][..width];
                for (sum, &value) in row.iter_mut().zip(&gradient[token * width..][..width]) {
                    *sum += value;
                }
            }
        });
        gradient_of(weight, table)
    }
}
