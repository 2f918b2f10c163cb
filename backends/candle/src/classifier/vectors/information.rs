//! Positive pointwise mutual information of neighbouring tokens, as a sparse matrix.

use detoxlm_core::{Cancellation, Result};
use rayon::prelude::*;

use super::counts::{Blocks, totals};

/// A square matrix of which only what is above 0 is kept, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sparse {
    /// Where each row begins, and where the last one ends.
    pub(super) starts: Vec<usize>,
    pub(super) columns: Vec<u32>,
    pub(super) values: Vec<f32>,
}

impl Sparse {
    pub(super) fn size(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let range = self.starts[row]..self.starts[row + 1];
        self.columns[range.clone()]
            .iter()
            .map(|&column| column as usize)
            .zip(self.values[range].iter().copied())
    }

    /// The product with a row-major matrix of so many columns.
    pub(super) fn times(&self, right: &[f32], columns: usize) -> Vec<f32> {
        let mut product = vec![0f32; self.size() * columns];
        product.par_chunks_mut(columns).enumerate().for_each(|(row, sums)| {
            for (at, value) in self.row(row) {
                for (sum, &x) in sums.iter_mut().zip(&right[at * columns..][..columns]) {
                    *sum += value * x;
                }
            }
        });
        product
    }

    pub(super) fn transposed(&self) -> Self {
        let mut starts = vec![0; self.starts.len()];
        for &column in &self.columns {
            starts[column as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut columns = vec![0; self.columns.len()];
        let mut values = vec![0.0; self.values.len()];
        for row in 0..self.size() {
            for (column, value) in self.row(row) {
                columns[next[column]] = row as u32;
                values[next[column]] = value;
                next[column] += 1;
            }
        }
        Self { starts, columns, values }
    }
}

/// Levy, Goldberg and Dagan 2015, "Improving Distributional Similarity with Lessons Learned from
/// Word Embeddings": contexts are smoothed by this power.
const SMOOTHING: f64 = 0.75;

/// `max(0, ln(n(a, b) / (n(a) p(b))))`, `n` the counts of neighbours and `p(b)` proportional to
/// `n(b)^0.75`.
pub(super) fn information(
    texts: &[&[u32]],
    vocabulary: usize,
    cancellation: &Cancellation,
) -> Result<Sparse> {
    let totals = totals(texts, vocabulary);
    let smoothed: Vec<f64> = totals.iter().map(|&n| (n as f64).powf(SMOOTHING)).collect();
    let sum: f64 = smoothed.iter().sum();
    let mut matrix = Sparse { starts: vec![0], ..Sparse::default() };
    let mut blocks = Blocks::new(vocabulary);
    for first in (0..vocabulary).step_by(blocks.rows) {
        cancellation.check()?;
        for (row, counts) in blocks.count(texts, first).chunks_exact(vocabulary).enumerate() {
            let total = totals[first + row] as f64;
            for (column, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
                let expected = total * smoothed[column] / sum;
                let ratio = f64::from(count) / expected;
                if ratio > 1.0 {
                    matrix.columns.push(column as u32);
                    matrix.values.push(ratio.ln() as f32);
                }
            }
            matrix.starts.push(matrix.columns.len());
        }
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_formula_and_chance_is_left_out() {
        let texts: [&[u32]; 4] = [&[0, 1], &[0, 1], &[0, 2], &[2, 2]];
        let matrix = information(&texts, 4, &Cancellation::default()).unwrap();
        // n(0) = 180, n(1) = 120, n(2) = 60 + 120.
        let smoothed = [180_f64, 120.0, 180.0].map(|n| n.powf(0.75));
        let sum: f64 = smoothed.iter().sum();
        let of = |count: f64, total: f64, column: usize| {
            (count / (total * smoothed[column] / sum)).ln() as f32
        };
        let row = |row| matrix.row(row).collect::<Vec<_>>();
        assert_eq!(row(0), [(1, of(120.0, 180.0, 1))]);
        assert_eq!(row(1), [(0, of(120.0, 120.0, 0))]);
        assert_eq!(row(2), [(2, of(120.0, 180.0, 2))]);
        assert_eq!(row(3), []);
    }

    #[test]
    fn products_are_those_of_the_dense_matrix() {
        let matrix = Sparse {
            starts: vec![0, 2, 2, 3],
            columns: vec![0, 2, 1],
            values: vec![1.0, 2.0, 3.0],
        };
        let right = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(matrix.times(&right, 2), [11.0, 14.0, 0.0, 0.0, 9.0, 12.0]);
        let transposed = matrix.transposed();
        assert_eq!(transposed.times(&right, 2), [1.0, 2.0, 15.0, 18.0, 2.0, 4.0]);
        assert_eq!(transposed.transposed(), matrix);
    }
}
