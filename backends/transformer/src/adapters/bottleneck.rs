//! Bottleneck adapters (Houlsby et al. 2019, Pfeiffer et al. 2021), in the names of AdapterHub.

use detoxlm_core::Result;
use detoxlm_core::adapter::BottleneckConfig;
use detoxlm_core::training::Bottleneck;

use super::{
    Adaptation, AddedParameters, Beginning, BlockBottlenecks, BottleneckInput, BottleneckNetwork,
};
use crate::architecture::{Architecture, Role};

/// Standard deviation of the down-projection's first values, as in AdapterHub.
const DOWN_SPREAD: f64 = 0.02;

/// Where in a block a network stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Attention,
    FeedForward,
}

impl Site {
    const fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention_adapters",
            Self::FeedForward => "output_adapters",
        }
    }
}

/// What a method asks for in this architecture.
///
/// # Errors
/// When it is wider than the model.
pub(crate) fn config(architecture: &Architecture, method: &Bottleneck) -> Result<BottleneckConfig> {
    let width = method.size.in_model(architecture.width)?;
    Ok(BottleneckConfig::new(method.placement, method.activation, width))
}

/// The beginning of the names of a network's parameters.
pub(crate) fn name(
    architecture: &Architecture,
    config: &BottleneckConfig,
    block: usize,
    site: Site,
) -> String {
    let Architecture { prefix, block_list, .. } = architecture;
    format!("{prefix}{block_list}.{block}.{}.adapters.{}", site.name(), config.name)
}

/// Adds the networks, of the inner width that `width_of` gives for block and site.
///
/// # Errors
/// Those of `width_of`.
pub(crate) fn describe(
    architecture: &Architecture,
    config: &BottleneckConfig,
    width_of: impl Fn(usize, Site) -> Result<usize>,
) -> Result<Adaptation> {
    let mut parameters = AddedParameters::to(architecture);
    let mut bottlenecks = Vec::with_capacity(architecture.blocks.len());
    for block in 0..architecture.blocks.len() {
        let is_left_out = config.leave_out.contains(&block);
        let mut network = |site, is_wanted: bool| {
            if !is_wanted || is_left_out {
                return Ok(None);
            }
            let name = name(architecture, config, block, site);
            let (outer, inner) = (architecture.width, width_of(block, site)?);
            Ok(Some(BottleneckNetwork {
                input: if config.reads_stream {
                    BottleneckInput::Stream
                } else {
                    BottleneckInput::Update
                },
                down: parameters.affine(&format!("{name}.adapter_down.0"), outer, inner),
                activation: config.activation,
                up: parameters.affine(&format!("{name}.adapter_up"), inner, outer),
                scale: config.scaling,
            }))
        };
        bottlenecks.push(BlockBottlenecks {
            after_attention: network(Site::Attention, config.after_attention)?,
            after_feed_forward: network(Site::FeedForward, config.after_feed_forward)?,
        });
    }
    Ok(Adaptation { parameters: parameters.specs, bottlenecks, ..Adaptation::default() })
}

/// The first values of the adaptation's parameters: projections normally distributed, the upper ones
/// with the method's spread, and biases 0.
pub(crate) fn initial_values(
    adaptation: &Adaptation,
    method: &Bottleneck,
    seed: u64,
) -> Vec<Vec<f32>> {
    adaptation.initial_values(seed, |spec| match spec.role {
        Role::Bias => Beginning::Zero,
        _ if spec.name.ends_with(".adapter_up.weight") => Beginning::Normal(method.up_spread),
        _ => Beginning::Normal(DOWN_SPREAD),
    })
}
