//! How tokens are drawn, as arguments.

use detoxlm::{Result, Sampling};

/// Arguments that change a [`Sampling`]; what is not given stays as it was.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct SamplingArguments {
    /// The most tokens to add to each prompt [default: 1000; evaluate: 20]
    #[arg(long, value_name = "T")]
    max_new_tokens: Option<usize>,
    /// Keep the fewest tokens whose probabilities add up to P [default: 0.9]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Keep only the K most probable tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Divide the logits by X; 0 takes the most probable token [default: 1]
    #[arg(long, value_name = "X")]
    temperature: Option<f32>,
}

impl SamplingArguments {
    /// `base` with the given changes, checked.
    pub(crate) fn apply(&self, base: Sampling) -> Result<Sampling> {
        let sampling = Sampling {
            max_new_tokens: self.max_new_tokens.unwrap_or(base.max_new_tokens),
            top_p: self.top_p.unwrap_or(base.top_p),
            top_k: self.top_k.or(base.top_k),
            temperature: self.temperature.unwrap_or(base.temperature),
        };
        sampling.validate()?;
        Ok(sampling)
    }
}
