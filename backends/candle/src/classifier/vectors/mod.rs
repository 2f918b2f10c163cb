//! First vectors of tokens, from texts alone: factors of the tokens' positive pointwise mutual
//! information (Levy and Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization").

mod counts;
mod eigen;
mod factors;
mod information;
mod orthonormal;

use detoxlm_core::{Cancellation, Result};

use self::factors::left_factors;
use self::information::information;

/// How large first vectors are beside what the network expects.
const SCALE: f64 = 0.3;

/// A `(vocabulary, width)` matrix, row-major, of standard deviation 0.3: the left singular vectors of
/// the information, each times the root of its singular value. Without two neighbouring tokens
/// anywhere, it is 0.
///
/// The same texts give the same bits, on any number of threads.
pub(crate) fn first_vectors(
    texts: &[&[u32]],
    vocabulary: usize,
    width: usize,
    cancellation: &Cancellation,
) -> Result<Vec<f32>> {
    let matrix = information(texts, vocabulary, cancellation)?;
    let mut vectors = left_factors(&matrix, width, cancellation)?;
    let count = vectors.len().max(1) as f64;
    let mean = vectors.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = vectors.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    if variance > 0.0 {
        let scale = (SCALE / variance.sqrt()) as f32;
        vectors.iter_mut().for_each(|x| *x *= scale);
    }
    Ok(vectors)
}
