use serde::{Deserialize, Serialize};

use super::at_least_one;
use crate::Result;

/// Prefix tuning (Li and Liang 2021): in every layer, so many keys and values that are trained and
/// stand before those of the text. The text's positions are counted from after them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prefix {
    /// Virtual tokens; they take their part of the model's context.
    pub length: usize,
    /// Width of the hidden layer of the network that makes the keys and values while they are
    /// trained (embedding, linear, tanh, linear), and whose result alone is saved. Without one they
    /// are trained themselves.
    pub projection_width: Option<usize>,
}

impl Default for Prefix {
    fn default() -> Self {
        Self { length: 16, projection_width: None }
    }
}

impl Prefix {
    pub(super) fn validate(&self) -> Result<()> {
        at_least_one("method.length", self.length)?;
        at_least_one("method.projection_width", self.projection_width.unwrap_or(1))
    }
}
