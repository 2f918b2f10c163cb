//! Elementary functions written so that the compiler can vectorise them.

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

/// Hyperbolic tangent by [`exp`].
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// Logistic function by [`exp`].
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Error function; absolute error below 4e-7.
///
/// The rational approximation of degree 13 over 8 that Eigen and XLA use, clamped where `f32` has
/// reached 1.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let x = x.clamp(-3.832_507, 3.832_507);
    let square = x * x;
    let mut numerator = -2.726_142_3e-10;
    for coefficient in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        numerator = numerator * square + coefficient;
    }
    let mut denominator = -1.456_607_2e-5;
    for coefficient in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_473_9e-2] {
        denominator = denominator * square + coefficient;
    }
    x * numerator / denominator
}

#[cfg(test)]
mod tests {
    use super::*;

    /// -20 to 20 in steps of 1/1024.
    fn grid() -> impl Iterator<Item = f32> {
        (-20 * 1024..20 * 1024).map(|i| i as f32 / 1024.0)
    }

    #[test]
    fn exp_agrees_with_libm() {
        for i in -870_000..=880_000 {
            let x = i as f32 / 10_000.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "{x}: {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(f32::INFINITY) > 1e38);
        assert!(exp(f32::NAN).is_nan() && exp(f32::from_bits(0x7fc0_007f)).is_nan());
    }

    #[test]
    fn tanh_sigmoid_and_erf_are_close_to_libm() {
        for x in grid() {
            let exact = f64::from(x);
            assert!((f64::from(tanh(x)) - exact.tanh()).abs() < 1e-6, "tanh {x}");
            let logistic = 1.0 / (1.0 + (-exact).exp());
            assert!((f64::from(sigmoid(x)) - logistic).abs() < 1e-6, "sigmoid {x}");
            let error = f64::from(erf(x)) - candle_core::cpu::erf::erf_f64(exact);
            assert!(error.abs() < 4e-7, "erf {x}: {error}");
        }
    }
}
