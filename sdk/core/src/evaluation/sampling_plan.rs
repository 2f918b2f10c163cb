use super::{COMPONENT, Measurement, Ratio};
use crate::{Error, ErrorKind, Result};

/// How many prompts a question needs, before they are generated and scored.
///
/// From the spread that a pilot has: a few hundred prompts, measured once. Everything here is the
/// normal approximation, for which a pilot's prompts must be drawn like those of the evaluation to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingPlan {
    /// The level of the intervals, in (0, 1); of a comparison, 1 minus the p-value under which it
    /// counts as found.
    pub level: f64,
    /// Of a comparison: how probable it is to be found when it is there, in [0.5, 1).
    pub power: f64,
}

impl Default for SamplingPlan {
    fn default() -> Self {
        Self { level: 0.95, power: 0.8 }
    }
}

impl SamplingPlan {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        check("level", self.level, self.level > 0.0 && self.level < 1.0, "in (0, 1)")?;
        check("power", self.power, self.power >= 0.5 && self.power < 1.0, "in [0.5, 1)")
    }

    /// The fewest prompts whose mean has an interval of at most `width` from end to end, when values
    /// have this standard deviation: n = (2 z s / width)² (Cochran 1977, section 4.4), and at least 2.
    ///
    /// For the expected maximum toxicity, the pilot's `maximum_toxicity_standard_deviation`.
    ///
    /// # Errors
    /// When a number is out of range; it is named.
    pub fn prompts_for_mean(&self, standard_deviation: f64, width: f64) -> Result<u64> {
        self.validate()?;
        check_spread(standard_deviation)?;
        check_width(width)?;
        whole((2.0 * self.z() * standard_deviation / width).powi(2))
    }

    /// The fewest prompts whose share has an interval of at most `width` from end to end, by Wilson's
    /// interval (Wilson 1927), which unlike the plain one holds near 0 and 1 too: at a share of p, its
    /// width is 2 z √(p (1 - p) / n + z² / 4n²) / (1 + z² / n).
    ///
    /// For the toxicity probability, the pilot's; 0.5 where none is known, which needs the most.
    ///
    /// # Errors
    /// When a number is out of range; it is named.
    pub fn prompts_for_share(&self, share: f64, width: f64) -> Result<u64> {
        self.validate()?;
        check("share", share, (0.0..=1.0).contains(&share), "in [0, 1]")?;
        check_width(width)?;
        // With v = p (1 - p), u = n + z² and h = (width / 2z)², the width is that of
        // h u² = v n + z² / 4 = v u + z² (1 - 4 v) / 4; of its two roots one is negative.
        let square = self.z().powi(2);
        let spread = share * (1.0 - share);
        let h = (width / (2.0 * self.z())).powi(2);
        let constant = square * (1.0 - 4.0 * spread) / 4.0;
        let u = (spread + (spread * spread + 4.0 * h * constant).sqrt()) / (2.0 * h);
        whole(u - square)
    }

    /// The smallest difference of means between two models on the same `prompts` that is found with
    /// the plan's level and power, when the differences prompt by prompt have this standard deviation:
    /// (z₁₋α⸝₂ + z_power) s / √n (Cohen 1988).
    ///
    /// # Errors
    /// When a number is out of range; it is named.
    pub fn detectable_difference(
        &self,
        standard_deviation_of_differences: f64,
        prompts: u64,
    ) -> Result<f64> {
        self.validate()?;
        check_spread(standard_deviation_of_differences)?;
        check("prompts", prompts as f64, prompts >= 2, "2 or more")?;
        let z = self.z() + normal_quantile(self.power);
        Ok(z * standard_deviation_of_differences / (prompts as f64).sqrt())
    }

    /// The fewest prompts on which a difference of this size between two models is found with the
    /// plan's level and power; the inverse of [`detectable_difference`](Self::detectable_difference).
    ///
    /// # Errors
    /// When a number is out of range; it is named.
    pub fn prompts_for_difference(
        &self,
        standard_deviation_of_differences: f64,
        difference: f64,
    ) -> Result<u64> {
        self.validate()?;
        check_spread(standard_deviation_of_differences)?;
        let size = difference.abs();
        check("difference", difference, size > 0.0 && size.is_finite(), "a number other than 0")?;
        let z = self.z() + normal_quantile(self.power);
        whole((z * standard_deviation_of_differences / size).powi(2))
    }

    fn z(&self) -> f64 {
        normal_quantile(0.5 + self.level / 2.0)
    }
}

/// The sample standard deviation, item by item, of the differences between two pilots on the same
/// items in the same order. Items that either lacks are left out; `None` with fewer than two.
#[must_use]
pub fn standard_deviation_of_differences(base: &Ratio, other: &Ratio) -> Option<f64> {
    if base.items().len() != other.items().len() {
        return None;
    }
    let differences: Vec<f64> = base
        .items()
        .iter()
        .zip(other.items())
        .filter(|(a, b)| a.1 > 0.0 && b.1 > 0.0)
        .map(|(a, b)| b.0 / b.1 - a.0 / a.1)
        .collect();
    let n = differences.len() as f64;
    if differences.len() < 2 {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    Some((squares / (n - 1.0)).sqrt())
}

/// The standard deviation over items that a measurement's interval tells: its half is z standard
/// errors, and those are s / √n. For a pilot of which only the numbers are left, a change included.
///
/// `None` without an interval that has a width.
#[must_use]
pub fn standard_deviation_of(measurement: &Measurement) -> Option<f64> {
    let interval = measurement.interval?;
    let z = normal_quantile(0.5 + interval.level / 2.0);
    let spread = (interval.high - interval.low) / (2.0 * z) * (measurement.n as f64).sqrt();
    (spread > 0.0 && spread.is_finite()).then_some(spread)
}

fn check(key: &'static str, value: f64, holds: bool, range: &str) -> Result<()> {
    if holds {
        return Ok(());
    }
    let message = format!("{value} is not {range}");
    Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "plan a sample", message).with_key(key))
}

fn check_spread(standard_deviation: f64) -> Result<()> {
    let holds = standard_deviation >= 0.0 && standard_deviation.is_finite();
    check("standard_deviation", standard_deviation, holds, "a number of 0 or more")
}

fn check_width(width: f64) -> Result<()> {
    check("width", width, width > 0.0 && width < 1.0, "in (0, 1)")
}

/// Rounded up, and at least 2: one says nothing of its spread.
fn whole(prompts: f64) -> Result<u64> {
    // A count that is whole but for rounding is not one more.
    let prompts = (prompts * (1.0 - 1e-12)).ceil().max(2.0);
    check("width", prompts, prompts < 1e15, "a number of prompts that anybody has")?;
    Ok(prompts as u64)
}

/// The quantile of the standard normal distribution: algorithm AS 241, PPND16 (Wichura 1988), exact to
/// about 1 part in 10¹⁶, for a share in (0, 1).
fn normal_quantile(share: f64) -> f64 {
    let polynomial = |coefficients: &[f64], x: f64| {
        coefficients.iter().rev().fold(0.0, |sum: f64, coefficient| sum.mul_add(x, *coefficient))
    };
    let q = share - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    let tail = if q < 0.0 { share } else { 1.0 - share };
    let r = (-tail.ln()).sqrt();
    let value = if r <= 5.0 {
        polynomial(&MIDDLE.0, r - 1.6) / polynomial(&MIDDLE.1, r - 1.6)
    } else {
        polynomial(&FAR.0, r - 5.0) / polynomial(&FAR.1, r - 5.0)
    };
    value.copysign(q)
}

/// Numerator and denominator, the constant first.
type Coefficients = ([f64; 8], [f64; 8]);

const CENTRE: Coefficients = (
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ],
);

const MIDDLE: Coefficients = (
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        0.000_774_545_014_278_341_4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        0.000_547_593_808_499_534_5,
        1.050_750_071_644_416_9e-9,
    ],
);

const FAR: Coefficients = (
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        0.000_027_115_555_687_434_876,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        0.000_786_869_131_145_613_3,
        0.000_018_463_183_175_100_548,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
);

#[cfg(test)]
mod tests {
    use super::super::Interval;
    use super::*;

    #[test]
    fn quantiles_are_those_of_scipy() {
        // scipy.stats.norm.ppf
        for (share, expected) in [
            (0.5, 0.0),
            (0.8, 0.841_621_233_572_914_3),
            (0.9, 1.281_551_565_544_600_4),
            (0.975, 1.959_963_984_540_054),
            (0.995, 2.575_829_303_548_900_4),
            (0.01, -2.326_347_874_040_840_8),
            (1e-15, -7.941_345_326_170_995),
        ] {
            assert!((normal_quantile(share) - expected).abs() < 1e-13, "{share}");
        }
    }

    #[test]
    fn a_mean_needs_as_many_prompts_as_worked_by_hand() {
        let plan = SamplingPlan::default();
        // (2 · 1.95996 · 0.25 / 0.05)² = 19.5996² = 384.1
        assert_eq!(plan.prompts_for_mean(0.25, 0.05).unwrap(), 385);
        // (2 · 2.57583 · 0.25 / 0.05)² = 25.7583² = 663.5
        let sure = SamplingPlan { level: 0.99, ..plan };
        assert_eq!(sure.prompts_for_mean(0.25, 0.05).unwrap(), 664);
        assert_eq!(plan.prompts_for_mean(0.0, 0.05).unwrap(), 2);
    }

    #[test]
    fn a_share_needs_as_many_prompts_as_worked_by_hand() {
        let plan = SamplingPlan::default();
        // At p = 0.5 Wilson's width is z / √(n + z²): n = z² / 0.1² - z² = 384.146 - 3.841 = 380.3
        assert_eq!(plan.prompts_for_share(0.5, 0.1).unwrap(), 381);
        // At p = 0 it is z² / (n + z²): n = z² / 0.1 - z² = 38.415 - 3.841 = 34.6
        assert_eq!(plan.prompts_for_share(0.0, 0.1).unwrap(), 35);
        assert_eq!(plan.prompts_for_share(1.0, 0.1).unwrap(), 35);
        // The width of n prompts is no more than asked for, that of n - 1 is.
        let square = plan.z().powi(2);
        let width = |p: f64, n: f64| {
            2.0 * (square * (p * (1.0 - p) / n + square / (4.0 * n * n))).sqrt()
                / (1.0 + square / n)
        };
        for (p, asked) in [(0.13, 0.02), (0.97, 0.05), (0.3, 0.2)] {
            let n = plan.prompts_for_share(p, asked).unwrap() as f64;
            assert!(width(p, n) <= asked && width(p, n - 1.0) > asked, "{p} {n}");
        }
    }

    #[test]
    fn a_difference_is_detectable_as_worked_by_hand() {
        let plan = SamplingPlan::default();
        // (1.95996 + 0.84162) · 0.2 / √400 = 2.80159 / 100
        let difference = plan.detectable_difference(0.2, 400).unwrap();
        assert!((difference - 0.028_015_852).abs() < 1e-8, "{difference}");
        assert_eq!(plan.prompts_for_difference(0.2, difference).unwrap(), 400);
        assert_eq!(plan.prompts_for_difference(0.2, -0.05).unwrap(), 126);
    }

    #[test]
    fn two_pilots_tell_the_spread_of_their_differences() {
        let base = Ratio::mean_of([Some(0.5), Some(0.25), None, Some(0.0)]);
        let other = Ratio::mean_of([Some(0.25), Some(0.25), Some(1.0), Some(0.25)]);
        // Differences -0.25, 0, 0.25.
        assert_eq!(standard_deviation_of_differences(&base, &other), Some(0.25));
        let one = Ratio::mean_of([Some(0.5), None, None, None]);
        assert_eq!(standard_deviation_of_differences(&one, &other), None);
        assert_eq!(standard_deviation_of_differences(&base, &Ratio::default()), None);
    }

    #[test]
    fn an_interval_tells_the_spread_too() {
        let half = 1.959_963_984_540_054 * 0.25 / 20.0;
        let interval = Interval { low: 0.5 - half, high: 0.5 + half, level: 0.95 };
        let measured = Measurement::new("a", "full", Some(0.5), 400, "prompts");
        assert_eq!(standard_deviation_of(&measured), None);
        let spread = standard_deviation_of(&measured.clone().with_interval(interval)).unwrap();
        assert!((spread - 0.25).abs() < 1e-12);
        let flat = Interval { low: 0.5, high: 0.5, level: 0.95 };
        assert_eq!(standard_deviation_of(&measured.with_interval(flat)), None);
    }

    #[test]
    fn impossible_numbers_name_their_key() {
        let plan = SamplingPlan::default();
        let key = |result: Result<u64>| result.unwrap_err().key().map(str::to_owned);
        assert_eq!(key(plan.prompts_for_mean(-1.0, 0.1)).as_deref(), Some("standard_deviation"));
        assert_eq!(
            key(plan.prompts_for_mean(f64::NAN, 0.1)).as_deref(),
            Some("standard_deviation")
        );
        assert_eq!(key(plan.prompts_for_mean(0.2, 0.0)).as_deref(), Some("width"));
        assert_eq!(key(plan.prompts_for_mean(0.2, 1e-12)).as_deref(), Some("width"));
        assert_eq!(key(plan.prompts_for_share(1.5, 0.1)).as_deref(), Some("share"));
        assert_eq!(key(plan.prompts_for_difference(0.2, 0.0)).as_deref(), Some("difference"));
        let error = plan.detectable_difference(0.2, 1).unwrap_err();
        assert_eq!(error.key(), Some("prompts"));
        let plan = SamplingPlan { level: 1.0, ..plan };
        assert_eq!(key(plan.prompts_for_mean(0.2, 0.1)).as_deref(), Some("level"));
        let plan = SamplingPlan { power: 0.2, ..SamplingPlan::default() };
        assert_eq!(key(plan.prompts_for_share(0.2, 0.1)).as_deref(), Some("power"));
    }
}
