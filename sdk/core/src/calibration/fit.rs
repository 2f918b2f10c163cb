use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Pair, ReliabilityBin, brier_score, expected_calibration_error, fit_isotonic, fit_logistic,
    reliability, spearman,
};
use crate::evaluation::pearson;
use crate::layers::CalibrationMap;
use crate::{Attribute, Digest, Error, ErrorKind, Info, Result};

/// What kind of map is fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MapKind {
    /// Whatever never decreases: the closer fit where there are thousands of texts.
    #[default]
    Isotonic,
    /// Two numbers: the steadier fit where there are hundreds.
    Logistic,
}

/// How a map is fitted and checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitSettings {
    /// What kind of map.
    pub kind: MapKind,
    /// The share of the texts, in (0, 1), that the map is not fitted to and is measured on.
    pub held_out: f64,
    /// Parts of [0, 1] for the calibration error and the reliability curve.
    pub bins: usize,
    /// From here on a value counts as a yes.
    pub threshold: f64,
}

impl Default for FitSettings {
    fn default() -> Self {
        Self { kind: MapKind::default(), held_out: 0.3, bins: 10, threshold: 0.5 }
    }
}

/// How far values are what they should have been.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Mean of the values.
    pub mean_value: f64,
    /// Mean of the targets.
    pub mean_target: f64,
    /// [`expected_calibration_error`].
    pub calibration_error: f64,
    /// [`brier_score`].
    pub brier: f64,
    /// Pearson's correlation; `None` where one side does not vary.
    pub pearson: Option<f64>,
    /// Spearman's; a map that never decreases changes it only by making ties.
    pub spearman: Option<f64>,
    /// The share of texts whose value and target are on different sides of the threshold.
    pub other_side: f64,
    /// [`reliability`].
    pub reliability: Vec<ReliabilityBin>,
}

impl Quality {
    /// Measures pairs; `None` without any.
    #[must_use]
    pub fn of(pairs: &[Pair], settings: &FitSettings) -> Option<Self> {
        let count = pairs.len() as f64;
        let (values, targets): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let threshold = settings.threshold;
        let other = pairs.iter().filter(|(v, t)| (*v >= threshold) != (*t >= threshold)).count();
        Some(Self {
            mean_value: values.iter().sum::<f64>() / count,
            mean_target: targets.iter().sum::<f64>() / count,
            calibration_error: expected_calibration_error(pairs, settings.bins)?,
            brier: brier_score(pairs)?,
            pearson: pearson(&values, &targets),
            spearman: spearman(pairs),
            other_side: other as f64 / count,
            reliability: reliability(pairs, settings.bins),
        })
    }
}

/// What a map was fitted to, and how good values are before and after it on texts that it was not
/// fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Texts that the map was fitted to.
    pub fitted: u64,
    /// Texts that it was measured on.
    pub held_out: u64,
    /// The scorer's own values of the latter.
    pub before: Quality,
    /// The mapped ones.
    pub after: Quality,
}

/// Where the maps of a calibration come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The texts with their targets.
    pub data: Info,
    /// How they were used.
    pub settings: FitSettings,
    /// What came of it, by attribute.
    pub fits: BTreeMap<Attribute, Fit>,
}

/// Fits a map to some texts and measures it on the others.
///
/// A text is held out or not by its SHA-256 alone: the same one in every run, for every attribute and
/// scorer, wherever it stands in its file and however often.
///
/// # Errors
/// When a value or target is not in [0, 1], the settings are impossible, or there is nothing to fit to
/// or nothing to measure on.
pub fn fit_and_measure<'a>(
    texts: impl IntoIterator<Item = (&'a str, Pair)>,
    settings: &FitSettings,
) -> Result<(CalibrationMap, Fit)> {
    if !(settings.held_out > 0.0 && settings.held_out < 1.0) {
        let message = format!("{} is not in (0, 1)", settings.held_out);
        return Err(Error::new(ErrorKind::InvalidConfig, "calibration", "fit a map", message)
            .with_key("held_out"));
    }
    let (mut fitted, mut held_out) = (Vec::new(), Vec::new());
    for (text, pair) in texts {
        let is_held_out = Digest::of(text).position() < settings.held_out;
        let part = if is_held_out { &mut held_out } else { &mut fitted };
        part.push(pair);
    }
    let map = match settings.kind {
        MapKind::Isotonic => fit_isotonic(&fitted)?,
        MapKind::Logistic => fit_logistic(&fitted)?,
    };
    super::check(&held_out)?;
    let mapped: Vec<Pair> = held_out.iter().map(|(v, t)| (map.apply(*v), *t)).collect();
    let nothing = || {
        Error::new(ErrorKind::Empty, "calibration", "measure a map", "no text is held out")
            .with_remedy("give more texts, or hold out a larger share")
    };
    let fit = Fit {
        fitted: fitted.len() as u64,
        held_out: held_out.len() as u64,
        before: Quality::of(&held_out, settings).ok_or_else(nothing)?,
        after: Quality::of(&mapped, settings).ok_or_else(nothing)?,
    };
    Ok((map, fit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<String> {
        (0..2_000).map(|number| format!("text {number}")).collect()
    }

    /// A scorer that says the square root of what is so.
    fn too_high(texts: &[String]) -> impl Iterator<Item = (&str, Pair)> {
        texts.iter().enumerate().map(|(at, text)| {
            let target = (at * 37 % 1000) as f64 / 1000.0;
            (text.as_str(), (target.sqrt(), target))
        })
    }

    #[test]
    fn what_is_held_out_says_how_good_the_map_is() {
        let texts = texts();
        for kind in [MapKind::Isotonic, MapKind::Logistic] {
            let settings = FitSettings { kind, ..FitSettings::default() };
            let (map, fit) = fit_and_measure(too_high(&texts), &settings).unwrap();
            assert_eq!(fit.fitted + fit.held_out, 2_000);
            assert!((500..700).contains(&fit.held_out), "{fit:?}");
            assert!(fit.before.calibration_error > 0.15, "{fit:?}");
            assert!(fit.after.calibration_error < 0.05, "{fit:?}");
            assert!(fit.after.brier < fit.before.brier);
            // Of targets even over [0, 1], those in [0.25, 0.5) have a value of 0.5 and more.
            assert!((fit.before.other_side - 0.25).abs() < 0.05, "{fit:?}");
            assert!(fit.after.other_side < 0.03, "{fit:?}");
            assert!(fit.after.spearman > Some(0.999));
            assert!(map.apply(0.5) < 0.35);
        }
    }

    #[test]
    fn a_text_is_held_out_by_its_content_alone() {
        let texts = texts();
        let settings = FitSettings::default();
        let pairs: Vec<_> = too_high(&texts).collect();
        let backwards = pairs.iter().rev().copied();
        let (map, fit) = fit_and_measure(pairs.iter().copied(), &settings).unwrap();
        let (again, other) = fit_and_measure(backwards, &settings).unwrap();
        assert_eq!((map, fit.held_out), (again, other.held_out));
        let mean = texts.iter().map(|text| Digest::of(text).position()).sum::<f64>() / 2_000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        // One text, however often, is never on both sides.
        let one = [("the same", (0.1, 0.2)); 50];
        assert!(fit_and_measure(one, &settings).is_err());
    }

    #[test]
    fn impossible_settings_and_targets_are_refused() {
        let texts = texts();
        for held_out in [0.0, 1.0, f64::NAN] {
            let settings = FitSettings { held_out, ..FitSettings::default() };
            let error = fit_and_measure(too_high(&texts), &settings).unwrap_err();
            assert_eq!(error.key(), Some("held_out"));
        }
        for target in [1.5, f64::NAN] {
            let bad = texts.iter().map(|text| (text.as_str(), (0.5, target)));
            assert!(fit_and_measure(bad, &FitSettings::default()).is_err());
        }
    }
}
