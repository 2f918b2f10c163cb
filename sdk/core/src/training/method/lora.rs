use serde::{Deserialize, Serialize};

use super::{at_least_one, impossible};
use crate::Result;

/// Low-rank adaptation (Hu et al. 2021): every adapted matrix `W` acts as `W + scale B A`, where `A`
/// is (rank, in), `B` (out, rank), and only these two are trained.
///
/// `A` begins at random and `B` at 0: before the first step the model is its base exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lora {
    /// Rank of the updates.
    pub rank: usize,
    /// Numerator of the scale.
    pub alpha: f64,
    /// Whether the scale is `alpha / sqrt(rank)` (Kalajdzievski 2023) instead of `alpha / rank`.
    pub rank_stabilized: bool,
    /// Ends of the names of the modules whose matrices are adapted, such as `attn.c_attn` or
    /// `q_proj`; all linear modules of all layers if empty.
    pub target_modules: Vec<String>,
    /// Share of the inputs of `A` that is dropped in training, from 0 to below 1.
    pub dropout: f64,
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            rank_stabilized: false,
            target_modules: Vec::new(),
            dropout: 0.0,
        }
    }
}

impl Lora {
    /// What the product `B A` is multiplied by, for a rank and an alpha.
    #[must_use]
    pub fn scale(rank: usize, alpha: f64, rank_stabilized: bool) -> f64 {
        let rank = rank as f64;
        alpha / if rank_stabilized { rank.sqrt() } else { rank }
    }

    pub(super) fn validate(&self) -> Result<()> {
        at_least_one("method.rank", self.rank)?;
        if !(self.alpha > 0.0 && self.alpha.is_finite()) {
            return Err(impossible(
                "method.alpha",
                format!("{} is not a number above 0", self.alpha),
            ));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(impossible(
                "method.dropout",
                format!("{} is not from 0 to below 1", self.dropout),
            ));
        }
        let mut seen = std::collections::BTreeSet::new();
        match self.target_modules.iter().find(|name| name.is_empty() || !seen.insert(*name)) {
            Some(name) if name.is_empty() => {
                Err(impossible("method.target_modules", "a name is empty"))
            }
            Some(name) => {
                Err(impossible("method.target_modules", format!("\"{name}\" is there twice")))
            }
            None => Ok(()),
        }
    }
}
