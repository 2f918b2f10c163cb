use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::calibration::Evidence;
use crate::calls::expect_answers;
use crate::files::{read_json, write_json};
use crate::{
    Attribute, Digest, DigestBuilder, Error, ErrorKind, Info, Result, Sample, ScorerCapabilities,
    Scores, ToxicityScorer, Verdict,
};

/// A map of one attribute's values, from [0, 1] to [0, 1], that never decreases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum CalibrationMap {
    /// `sigmoid(slope * logit(value) + intercept)` (Platt 1999, on log-odds).
    Logistic {
        /// At least 0.
        slope: f64,
        /// Any number.
        intercept: f64,
    },
    /// Straight lines between points, flat before the first and after the last (the fit of Zadrozny and
    /// Elkan 2002).
    Isotonic {
        /// Where the points are, increasing.
        from: Vec<f64>,
        /// What they are mapped to, never decreasing.
        to: Vec<f64>,
    },
}

/// Values nearer to 0 or 1 than this have log-odds of no meaning.
const LEAST: f64 = 1e-6;

impl CalibrationMap {
    /// The value that a value is mapped to.
    #[must_use]
    pub fn apply(&self, value: f64) -> f64 {
        match self {
            Self::Logistic { slope, intercept } => {
                let value = value.clamp(LEAST, 1.0 - LEAST);
                let log_odds = (value / (1.0 - value)).ln();
                1.0 / (1.0 + (-(slope * log_odds + intercept)).exp())
            }
            Self::Isotonic { from, to } => {
                let above = from.partition_point(|point| *point <= value);
                let (Some(&first), Some(&last)) = (to.first(), to.last()) else { return value };
                if above == 0 {
                    return first;
                }
                if above == from.len() {
                    return last;
                }
                let (x0, x1) = (from[above - 1], from[above]);
                let (y0, y1) = (to[above - 1], to[above]);
                y0 + (value - x0) / (x1 - x0) * (y1 - y0)
            }
        }
    }

    /// Checks that it is a map as it says.
    fn validate(&self) -> Result<()> {
        let is_sound = match self {
            Self::Logistic { slope, intercept } => {
                *slope >= 0.0 && slope.is_finite() && intercept.is_finite()
            }
            Self::Isotonic { from, to } => {
                let in_range = |points: &[f64]| points.iter().all(|p| (0.0..=1.0).contains(p));
                !from.is_empty()
                    && from.len() == to.len()
                    && in_range(from)
                    && in_range(to)
                    && from.windows(2).all(|pair| pair[0] < pair[1])
                    && to.windows(2).all(|pair| pair[0] <= pair[1])
            }
        };
        if is_sound {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            "scoring",
            "read a calibration",
            "not a map from [0, 1] to [0, 1] that never decreases",
        ))
    }
}

/// Maps for a scorer's attributes, with the scorer that they were fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The digest of the scorer whose values are mapped.
    pub scorer: Digest,
    /// Whose values they are mapped to: a scorer and its date, or human labels.
    pub target: String,
    /// A map for each attribute; the others stay as they are.
    pub maps: BTreeMap<Attribute, CalibrationMap>,
    /// What the maps were fitted to and how good they are, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl Calibration {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or a map is none.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let calibration: Self = read_json(path)?;
        calibration.validate().map_err(|error| error.with_path(path))?;
        Ok(calibration)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write_json(path, self)
    }

    fn validate(&self) -> Result<()> {
        self.maps.iter().try_for_each(|(attribute, map)| {
            map.validate().map_err(|error| error.with_key(format!("maps.{attribute}")))
        })
    }
}

/// Maps a scorer's values to another scale, such as that of Perspective on a date.
#[derive(Clone, Debug)]
pub struct Calibrated {
    inner: Arc<dyn ToxicityScorer>,
    calibration: Calibration,
    info: Info,
}

impl Calibrated {
    /// A scorer on another scale.
    ///
    /// # Errors
    /// When the maps were fitted to another scorer, or one is no map.
    pub fn new(inner: Arc<dyn ToxicityScorer>, calibration: Calibration) -> Result<Self> {
        let base = inner.info();
        if base.digest != calibration.scorer {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "scoring",
                "calibrate",
                format!("it was fitted to {:?}, and {base} is another", calibration.scorer),
            )
            .with_key("scorer")
            .with_remedy("fit it again to this scorer"));
        }
        calibration.validate()?;
        let mut digest = DigestBuilder::new();
        digest.update("calibration").update(base.digest.as_str());
        for (attribute, map) in &calibration.maps {
            // Plain data, always written the same.
            digest.update(attribute.as_str()).update(format!("{map:?}"));
        }
        let name = format!("{} as {}", base.name, calibration.target);
        let info = Info::new(name, env!("CARGO_PKG_VERSION"), digest.finish());
        Ok(Self { inner, calibration, info })
    }

    fn map(&self, verdict: Verdict) -> Result<Verdict> {
        let Verdict::Scored(scores) = verdict else { return Ok(verdict) };
        let values = scores.iter().map(|(attribute, value)| {
            let mapped = match self.calibration.maps.get(attribute) {
                Some(map) => map.apply(f64::from(value)).clamp(0.0, 1.0) as f32,
                None => value,
            };
            (attribute.clone(), mapped)
        });
        Scores::new(values).map(Verdict::Scored)
    }
}

#[async_trait]
impl ToxicityScorer for Calibrated {
    fn info(&self) -> &Info {
        &self.info
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        self.inner.capabilities()
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let verdicts = self.inner.score(samples).await?;
        expect_answers(self.inner.info(), samples.len(), verdicts.len())?;
        verdicts.into_iter().map(|verdict| self.map(verdict)).collect()
    }
}
