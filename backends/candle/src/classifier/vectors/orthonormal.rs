//! An orthonormal basis of the columns of a tall matrix.

use rayon::prelude::*;

/// A column with less than this share of its length left, once what others span is taken out, adds
/// nothing but rounding.
const RANK: f64 = 1e-6;
/// Elements of a sum that is taken at a time: a fixed piece, whatever the number of threads.
const PIECE: usize = 1 << 12;

/// Replaces the columns of a row-major `(rows, columns)` matrix by an orthonormal basis of what they
/// span, by Gram and Schmidt, done twice for each column (Giraud et al. 2005). A column that adds
/// nothing becomes 0.
pub(super) fn orthonormalise(matrix: &mut [f32], columns: usize) {
    let rows = matrix.len() / columns.max(1);
    let column = |at: usize| -> Vec<f64> {
        (0..rows).map(|row| f64::from(matrix[row * columns + at])).collect()
    };
    let mut basis: Vec<Vec<f64>> = (0..columns).map(column).collect();
    for at in 0..columns {
        let (done, rest) = basis.split_at_mut(at);
        let current = &mut rest[0];
        let length = dot(current, current).sqrt();
        for _ in 0..2 {
            let shares: Vec<f64> = done.par_iter().map(|other| dot(other, current)).collect();
            current.par_chunks_mut(PIECE).enumerate().for_each(|(piece, current)| {
                for (other, share) in done.iter().zip(&shares) {
                    for (x, y) in current.iter_mut().zip(&other[piece * PIECE..]) {
                        *x -= share * y;
                    }
                }
            });
        }
        let left = dot(current, current).sqrt();
        let scale = if left > RANK * length { 1.0 / left } else { 0.0 };
        current.iter_mut().for_each(|x| *x *= scale);
    }
    for (at, values) in basis.iter().enumerate() {
        for (row, &value) in values.iter().enumerate() {
            matrix[row * columns + at] = value as f32;
        }
    }
}

/// In eight sums that the compiler keeps in vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_eights, a_rest) = a.as_chunks::<8>();
    let (b_eights, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a_eights.iter().zip(b_eights) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_orthonormal_and_a_dependent_one_0() {
        // The third is the sum of the first two.
        let mut matrix = [3.0, 1.0, 4.0, 0.0, 2.0, 2.0, 4.0, 0.0, 4.0, 0.0, 1.0, 1.0];
        orthonormalise(&mut matrix, 3);
        let product = |a: usize, b: usize| -> f32 {
            (0..4).map(|row| matrix[row * 3 + a] * matrix[row * 3 + b]).sum()
        };
        for (a, b, expected) in [(0, 0, 1.0), (1, 1, 1.0), (0, 1, 0.0), (2, 2, 0.0)] {
            assert!((product(a, b) - expected).abs() < 1e-6, "{a} {b}: {}", product(a, b));
        }
        assert!((matrix[0] - 0.6).abs() < 1e-6 && (matrix[6] - 0.8).abs() < 1e-6);
    }
}
