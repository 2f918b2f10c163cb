use serde::{Deserialize, Serialize};

use super::{at_least_one, impossible};
use crate::Result;

/// Bottleneck adapters: a down-projection, a non-linearity and an up-projection, with a residual
/// connection around them, in every layer.
///
/// The up-projection begins at 0 unless `up_spread` says otherwise: before the first step the model
/// is its base exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bottleneck {
    /// Where they stand.
    pub placement: Placement,
    /// How wide they are inside.
    pub size: BottleneckSize,
    /// What is between the projections.
    pub activation: BottleneckActivation,
    /// Standard deviation of the up-projection's first values: 0, or near 0 as in the paper.
    pub up_spread: f64,
}

/// Where in a layer a bottleneck stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Placement {
    /// After attention and after the feed-forward network (Houlsby et al. 2019).
    #[default]
    Houlsby,
    /// After the feed-forward network (Pfeiffer et al. 2021).
    Pfeiffer,
}

/// The inner width of a bottleneck.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BottleneckSize {
    /// So many.
    Width(usize),
    /// The model's width divided by this, and at least 1.
    ReductionFactor(f64),
}

impl Default for BottleneckSize {
    fn default() -> Self {
        Self::ReductionFactor(16.0)
    }
}

impl BottleneckSize {
    /// The inner width in a model of this width.
    ///
    /// # Errors
    /// When it is larger than the model's.
    pub fn in_model(self, model_width: usize) -> Result<usize> {
        let width = match self {
            Self::Width(width) => width,
            Self::ReductionFactor(factor) => ((model_width as f64 / factor) as usize).max(1),
        };
        if width <= model_width {
            return Ok(width);
        }
        let key = match self {
            Self::Width(_) => "method.size.width",
            Self::ReductionFactor(_) => "method.size.reduction_factor",
        };
        Err(impossible(
            key,
            format!("{width} is wider than the model, whose width is {model_width}"),
        )
        .with_remedy(format!("a bottleneck of this model is 1 to {model_width} wide")))
    }
}

/// The non-linearity of a bottleneck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BottleneckActivation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x sigmoid(x)`.
    Swish,
    /// `x Phi(x)` with the exact normal distribution function.
    Gelu,
    /// The same with its approximation by a hyperbolic tangent.
    GeluNew,
}

impl Bottleneck {
    pub(super) fn validate(&self) -> Result<()> {
        match self.size {
            BottleneckSize::Width(width) => at_least_one("method.size.width", width)?,
            BottleneckSize::ReductionFactor(factor) if factor > 0.0 && factor.is_finite() => {}
            BottleneckSize::ReductionFactor(factor) => {
                return Err(impossible(
                    "method.size.reduction_factor",
                    format!("{factor} is not a number above 0"),
                ));
            }
        }
        if self.up_spread >= 0.0 && self.up_spread.is_finite() {
            return Ok(());
        }
        Err(impossible("method.up_spread", format!("{} is not 0 or more", self.up_spread)))
    }
}
