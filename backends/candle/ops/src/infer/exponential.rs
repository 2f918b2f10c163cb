//! `e^x` in vector registers.

/// `e^x`; relative error below 2e-7 on [-87, 88], clamped outside. NaN stays NaN.
///
/// The reduction takes `ln 2` in two parts and the polynomial is that of Cephes' `expf`. There is
/// no conversion to an integer: that of Rust saturates, which compilers do lane by lane.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the rounded sum in the lowest bits of the significand.
    const ROUND: f32 = 12_582_912.0;
    // The high part has few enough bits for its product with an exponent to be exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const EXPONENT_BIAS: u32 = 127;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let tail = 0.5
        + r * (0.166_666_65
            + r * (0.041_665_796 + r * (0.008_333_452 + r * (0.001_398_2 + r * 0.000_198_756_91))));
    let power = f32::from_bits(shifted.to_bits().wrapping_add(EXPONENT_BIAS) << 23);
    (tail * r * r + r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn agrees_with_f64() {
        for i in -870_000..=880_000 {
            let x = i as f32 / 10_000.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2e-7, "{x}: {error}");
        }
    }

    #[test]
    fn extremes() {
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(f32::INFINITY) > 1e38);
        assert!(exp(f32::NAN).is_nan() && exp(f32::from_bits(0x7fc0_007f)).is_nan());
    }
}
