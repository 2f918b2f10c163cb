use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// The course of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decay {
    /// Stays at the peak (SGEAT).
    #[default]
    Constant,
    /// Falls in a straight line to `floor` at the last step.
    Linear,
    /// Falls along half a cosine to `floor` at the last step (Loshchilov and Hutter 2017).
    Cosine,
}

/// The learning rate of every step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearningRate {
    /// The highest value.
    pub peak: f64,
    /// Steps over which it rises in a straight line from 0 to the peak.
    pub warmup_steps: u64,
    /// What follows.
    pub decay: Decay,
    /// Where a decay ends.
    pub floor: f64,
}

impl Default for LearningRate {
    fn default() -> Self {
        Self { peak: 2e-5, warmup_steps: 0, decay: Decay::Constant, floor: 0.0 }
    }
}

impl LearningRate {
    /// The rate of step `step` of `total`, both counted from 1.
    #[must_use]
    pub fn at(&self, step: u64, total: u64) -> f64 {
        if step <= self.warmup_steps {
            return self.peak * step as f64 / self.warmup_steps as f64;
        }
        let span = total.saturating_sub(self.warmup_steps).max(1) as f64;
        let progress = ((step - self.warmup_steps) as f64 / span).min(1.0);
        let share = match self.decay {
            Decay::Constant => return self.peak,
            Decay::Linear => 1.0 - progress,
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        };
        self.floor + (self.peak - self.floor) * share
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        for (key, value) in [("learning_rate.peak", self.peak), ("learning_rate.floor", self.floor)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    "core",
                    "set up training",
                    format!("{value} is not a rate of 0 or more"),
                )
                .with_key(key));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_and_decays_to_the_floor() {
        let rate = LearningRate { peak: 1.0, warmup_steps: 4, decay: Decay::Linear, floor: 0.2 };
        assert_eq!(rate.at(1, 12), 0.25);
        assert_eq!(rate.at(4, 12), 1.0);
        assert!((rate.at(8, 12) - 0.6).abs() < 1e-12);
        assert!((rate.at(12, 12) - 0.2).abs() < 1e-12);
        let cosine = LearningRate { decay: Decay::Cosine, ..rate.clone() };
        assert!((cosine.at(8, 12) - 0.6).abs() < 1e-12);
        assert!(cosine.at(6, 12) > rate.at(6, 12));
        let constant = LearningRate { decay: Decay::Constant, ..rate };
        assert_eq!(constant.at(12, 12), 1.0);
    }
}
