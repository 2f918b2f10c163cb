//! The dropout of candle's backend, bit for bit: which elements are kept follows from a seed and from
//! the element's index alone, so that a training goes on after an interruption as if there had been
//! none, on any device.

use tch::{Kind, TchError, Tensor};

use crate::tensor::size;

type Computed<T> = Result<T, TchError>;

/// Elements under one key.
const PIECE: usize = 1 << 14;

/// 2^64 over the golden ratio, splitmix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// 32 bits.
const WORD: i64 = 0xFFFF_FFFF;

/// Sets each element to zero with the given probability, and divides the others by what is left of one
/// (Srivastava et al. 2014).
pub(crate) fn dropout(x: &Tensor, probability: f64, seed: u64) -> Computed<Tensor> {
    let count = x.numel();
    let pieces = count.div_ceil(PIECE);
    let keys: Vec<u64> = (0..pieces as u64)
        .map(|piece| mix(mix(seed).wrapping_add(piece.wrapping_mul(STEP))))
        .collect();
    let column = |part: &dyn Fn(u64) -> u64| {
        let words: Vec<i64> = keys.iter().map(|&key| part(key).cast_signed()).collect();
        Tensor::f_from_slice(&words)?.f_to(x.device())?.f_reshape([size(pieces), 1])
    };
    let (low, high) = (column(&|key| key & 0xFFFF_FFFF)?, column(&|key| key >> 32)?);
    let elements = Tensor::f_arange(size(PIECE), (Kind::Int64, x.device()))?;
    let hashes = hash(&low, &high, &elements)?.f_reshape(-1)?.f_narrow(0, 0, size(count))?;
    let threshold = (probability * 2f64.powi(32)) as i64;
    let kept = hashes.f_ge(threshold)?.f_reshape(x.size())?;
    let factors = kept.f_totype(x.f_kind()?)?.f_mul_scalar(1.0 / (1.0 - probability))?;
    x.f_mul(&factors)
}

/// Output function of splitmix64 (Steele et al. 2014).
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(STEP);
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// Wellons' triple32 with a key, on words of 32 bits that are kept in 64.
fn hash(low: &Tensor, high: &Tensor, elements: &Tensor) -> Computed<Tensor> {
    let shifted = |x: &Tensor, bits: i64| -> Computed<Tensor> {
        x.f_bitwise_xor_tensor(&x.f_bitwise_right_shift_tensor_scalar(bits)?)
    };
    let times = |x: &Tensor, factor: i64| x.f_mul_scalar(factor)?.f_bitwise_and(WORD);
    let x = elements.f_add(low)?.f_bitwise_and(WORD)?;
    let x = times(&shifted(&x, 17)?, 0xED5A_D4BB)?.f_bitwise_xor_tensor(high)?;
    let x = times(&shifted(&x, 11)?, 0xAC4C_1B51)?;
    let x = times(&shifted(&x, 15)?, 0x3184_8BAB)?;
    shifted(&x, 14)
}
