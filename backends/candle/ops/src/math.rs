//! Elementary functions written so that the compiler can vectorise them.

/// `e^x` by range reduction and a polynomial, clamped outside [-87, 88]. The relative error is below
/// 1e-6 for `x` within 8 of zero and grows to 6e-6 at the ends, where `x log2(e)` is rounded coarsely.
///
/// `f32::exp` calls libm once per element; this stays in vector registers.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer without a call.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0) * std::f32::consts::LOG2_E;
    let rounded = x + ROUND;
    let whole = rounded - ROUND;
    let fraction = x - whole;
    let polynomial = 1.0
        + fraction
            * (std::f32::consts::LN_2
                + fraction
                    * (0.240_226_5
                        + fraction
                            * (0.055_504_1
                                + fraction
                                    * (0.009_618_13
                                        + fraction * (0.001_333_36 + fraction * 0.000_154_6)))));
    // The integer is in the low bits of `rounded`: shifted into the exponent, without a conversion.
    f32::from_bits(polynomial.to_bits().wrapping_add(rounded.to_bits() << 23))
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
    fn exp_is_close_to_libm() {
        for x in grid().map(|x| 4.0 * x) {
            let exact = f64::from(x).exp();
            let tolerance = if x.abs() < 8.0 { 1e-6 } else { 6e-6 };
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < tolerance, "{x}");
        }
        assert_eq!(exp(-1000.0), exp(-87.0));
        assert!(exp(1000.0).is_finite());
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
