use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Info, Result, Sample};

/// What a filter says of one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The text may be trained on.
    Keep,
    /// It may not, for this reason.
    Drop(String),
}

/// Decides by a user's own rule whether a text may be trained on.
///
/// # Contract
/// - `decide` answers as many decisions as there are samples, in their order.
/// - A decision depends on its sample alone.
/// - `info().digest` changes whenever a decision could.
/// - Heavy computation runs on threads that the implementation owns.
#[async_trait]
pub trait Filter: Debug + Send + Sync + 'static {
    /// Who this filter is.
    fn info(&self) -> &Info;

    /// Decides on texts.
    async fn decide(&self, samples: &[Sample]) -> Result<Vec<Decision>>;
}
