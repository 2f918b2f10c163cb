use super::{Pair, check};
use crate::Result;
use crate::layers::CalibrationMap;

/// Values nearer to 0 or 1 than this have log-odds of no meaning; [`CalibrationMap`] has the same.
const LEAST: f64 = 1e-6;
/// Newton's method has long converged by then.
const MOST_STEPS: usize = 100;

/// `sigmoid(slope * logit(value) + intercept)` with the least cross-entropy to the targets (Platt 1999,
/// on log-odds), by Newton's method. A slope below 0 would turn the order round: it is 0 then, and the
/// map constant.
///
/// # Errors
/// When there are no pairs, or one is not in [0, 1].
pub fn fit_logistic(pairs: &[Pair]) -> Result<CalibrationMap> {
    check(pairs)?;
    let points: Vec<(f64, f64)> = pairs
        .iter()
        .map(|&(value, target)| {
            let value = value.clamp(LEAST, 1.0 - LEAST);
            ((value / (1.0 - value)).ln(), target)
        })
        .collect();
    let (mut slope, mut intercept) = (1.0, 0.0);
    for _ in 0..MOST_STEPS {
        let (step_slope, step_intercept) = newton_step(&points, slope, intercept);
        // Half steps until the loss falls: far from the optimum the full one can overshoot.
        let before = loss(&points, slope, intercept);
        let mut share = 1.0;
        while share > 1e-6
            && loss(&points, slope - share * step_slope, intercept - share * step_intercept)
                > before
        {
            share /= 2.0;
        }
        slope -= share * step_slope;
        intercept -= share * step_intercept;
        if (share * step_slope).abs() + (share * step_intercept).abs() < 1e-10 {
            break;
        }
    }
    if slope <= 0.0 {
        let mean = points.iter().map(|(_, target)| target).sum::<f64>() / points.len() as f64;
        let mean = mean.clamp(LEAST, 1.0 - LEAST);
        (slope, intercept) = (0.0, (mean / (1.0 - mean)).ln());
    }
    Ok(CalibrationMap::Logistic { slope, intercept })
}

/// Mean cross-entropy, with a penalty so small that it only keeps separable targets from infinity.
fn loss(points: &[(f64, f64)], slope: f64, intercept: f64) -> f64 {
    let total: f64 = points
        .iter()
        .map(|(x, target)| {
            let z = slope * x + intercept;
            // log(1 + e^z) - target z, without overflow.
            z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
        })
        .sum();
    total / points.len() as f64 + RIDGE * (slope * slope + intercept * intercept)
}

const RIDGE: f64 = 1e-6;

/// The gradient divided by the Hessian.
fn newton_step(points: &[(f64, f64)], slope: f64, intercept: f64) -> (f64, f64) {
    let count = points.len() as f64;
    let (mut g0, mut g1) = (2.0 * RIDGE * slope, 2.0 * RIDGE * intercept);
    let (mut h00, mut h01, mut h11) = (2.0 * RIDGE, 0.0, 2.0 * RIDGE);
    for (x, target) in points {
        let p = 1.0 / (1.0 + (-(slope * x + intercept)).exp());
        let (residual, curvature) = ((p - target) / count, p * (1.0 - p) / count);
        g0 += residual * x;
        g1 += residual;
        h00 += curvature * x * x;
        h01 += curvature * x;
        h11 += curvature;
    }
    let determinant = h00 * h11 - h01 * h01;
    ((h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant)
}
