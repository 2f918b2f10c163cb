//! Eigenvalues of a small symmetric matrix.

/// Sweeps after which it is as diagonal as `f64` allows; six to ten are usual.
const SWEEPS: usize = 30;

/// The eigenvalues, descending, and the matching eigenvectors as columns of a row-major matrix, by
/// Jacobi's rotations (Golub and Van Loan, "Matrix Computations", 8.5).
pub(super) fn symmetric_eigen(mut a: Vec<f64>, size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; size * size];
    for at in 0..size {
        vectors[at * size + at] = 1.0;
    }
    for _ in 0..SWEEPS {
        let mut off = 0.0;
        let mut diagonal = 0.0;
        for row in 0..size {
            diagonal += a[row * size + row].powi(2);
            off += (row + 1..size).map(|column| a[row * size + column].powi(2)).sum::<f64>();
        }
        if off <= 1e-28 * diagonal {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut a, &mut vectors, size, (p, q));
            }
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&x, &y| a[y * size + y].total_cmp(&a[x * size + x]));
    let values = order.iter().map(|&at| a[at * size + at]).collect();
    let sorted = (0..size)
        .flat_map(|row| order.iter().map(move |&at| (row, at)))
        .map(|(row, at)| vectors[row * size + at])
        .collect();
    (values, sorted)
}

/// Turns the plane of `p` and `q` so that their common element becomes 0.
fn rotate(a: &mut [f64], vectors: &mut [f64], size: usize, (p, q): (usize, usize)) {
    let common = a[p * size + q];
    if common == 0.0 {
        return;
    }
    let tau = (a[q * size + q] - a[p * size + p]) / (2.0 * common);
    let tangent = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = tangent * cosine;
    let turn = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
    for row in 0..size {
        let (at_p, at_q) = (row * size + p, row * size + q);
        (a[at_p], a[at_q]) = turn(a[at_p], a[at_q]);
        (vectors[at_p], vectors[at_q]) = turn(vectors[at_p], vectors[at_q]);
    }
    for column in 0..size {
        let (at_p, at_q) = (p * size + column, q * size + column);
        (a[at_p], a[at_q]) = turn(a[at_p], a[at_q]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_matrix_has_its_known_values_and_vectors() {
        // Eigenvalues 4, 2 and 1.
        let a = [3.0, 1.0, 0.0, 1.0, 3.0, 0.0, 0.0, 0.0, 1.0];
        let (values, vectors) = symmetric_eigen(a.to_vec(), 3);
        for (value, expected) in values.iter().zip([4.0, 2.0, 1.0]) {
            assert!((value - expected).abs() < 1e-12, "{value}");
        }
        for (at, value) in values.iter().enumerate() {
            for row in 0..3 {
                let image: f64 = (0..3).map(|k| a[row * 3 + k] * vectors[k * 3 + at]).sum();
                assert!((image - value * vectors[row * 3 + at]).abs() < 1e-12);
            }
        }
    }
}
