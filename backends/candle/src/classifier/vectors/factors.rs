//! The strongest factors of a large sparse matrix, by random projections (Halko, Martinsson and
//! Tropp 2011, "Finding Structure with Randomness", algorithm 4.4).

use detoxlm_core::training::normal_values;
use detoxlm_core::{Cancellation, Result};

use super::eigen::symmetric_eigen;
use super::information::Sparse;
use super::orthonormal::orthonormalise;

/// Directions that are looked at beyond those that are asked for.
const MORE: usize = 16;
/// How often the projection goes there and back.
const ROUNDS: usize = 3;
/// The random numbers that projections begin with: beyond any parameter's, and the same for every
/// seed, for the factors that they lead to are the same.
const STREAM: (u64, u64) = (20, u64::MAX);

/// The `width` strongest left singular vectors, each times the root of its singular value, as the
/// columns of a row-major `(size, width)` matrix. Where the matrix has a lower rank, or is smaller
/// than `width`, the other columns are 0.
pub(super) fn left_factors(
    matrix: &Sparse,
    width: usize,
    cancellation: &Cancellation,
) -> Result<Vec<f32>> {
    let size = matrix.size();
    let columns = (width + MORE).min(size);
    let transposed = matrix.transposed();
    let start: Vec<f32> = normal_values(STREAM.0, STREAM.1, 1.0).take(size * columns).collect();
    let mut left = matrix.times(&start, columns);
    orthonormalise(&mut left, columns);
    for _ in 0..ROUNDS {
        cancellation.check()?;
        let mut right = transposed.times(&left, columns);
        orthonormalise(&mut right, columns);
        left = matrix.times(&right, columns);
        orthonormalise(&mut left, columns);
    }
    // B = Q^T A has the singular values of A, and B B^T their squares.
    let projected = transposed.times(&left, columns);
    let (squares, turns) = symmetric_eigen(gram(&projected, columns), columns);
    let mut factors = vec![0f32; size * width];
    for (factors, left) in factors.chunks_exact_mut(width).zip(left.chunks_exact(columns)) {
        for (at, factor) in factors.iter_mut().enumerate().take(columns) {
            let turned: f64 =
                left.iter().enumerate().map(|(k, &x)| f64::from(x) * turns[k * columns + at]).sum();
            *factor = (turned * squares[at].max(0.0).powf(0.25)) as f32;
        }
    }
    Ok(factors)
}

/// The products of all columns with all columns.
fn gram(matrix: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns * columns];
    for row in matrix.chunks_exact(columns.max(1)) {
        for (sums, &x) in sums.chunks_exact_mut(columns).zip(row) {
            for (sum, &y) in sums.iter_mut().zip(row) {
                *sum += f64::from(x) * f64::from(y);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse(dense: &[&[f32]]) -> Sparse {
        let mut matrix = Sparse { starts: vec![0], ..Sparse::default() };
        for row in dense {
            for (column, &value) in row.iter().enumerate().filter(|&(_, &value)| value != 0.0) {
                matrix.columns.push(column as u32);
                matrix.values.push(value);
            }
            matrix.starts.push(matrix.columns.len());
        }
        matrix
    }

    #[test]
    fn factors_of_a_matrix_of_known_singular_values() {
        // Of rank 2: 8 times (1, 0, 0, 0) by (0, 0, 0, 1), and 3 times (0, 0.6, 0.8, 0) by (1, 0, 0, 0).
        let matrix = sparse(&[
            &[0.0, 0.0, 0.0, 8.0],
            &[1.8, 0.0, 0.0, 0.0],
            &[2.4, 0.0, 0.0, 0.0],
            &[0.0, 0.0, 0.0, 0.0],
        ]);
        let factors = left_factors(&matrix, 3, &Cancellation::default()).unwrap();
        let roots = [8_f32.sqrt(), 3_f32.sqrt()];
        let expected = [
            [roots[0], 0.0, 0.0],
            [0.0, 0.6 * roots[1], 0.0],
            [0.0, 0.8 * roots[1], 0.0],
            [0.0, 0.0, 0.0],
        ];
        for (found, expected) in factors.iter().zip(expected.iter().flatten()) {
            assert!((found.abs() - expected).abs() < 1e-5, "{factors:?}");
        }
        assert_eq!(left_factors(&matrix, 3, &Cancellation::default()).unwrap(), factors);
    }

    #[test]
    fn a_matrix_of_nothing_has_no_factors() {
        let matrix = sparse(&[&[0.0, 0.0], &[0.0, 0.0]]);
        let factors = left_factors(&matrix, 3, &Cancellation::default()).unwrap();
        assert_eq!(factors, [0.0; 6]);
    }
}
