//! Prefix tuning (Li and Liang 2021), in the layout of PEFT.

use detoxlm_core::{ErrorKind, Result};

use super::{Adaptation, AddedParameters, Beginning, Prefix, PrefixSource};
use crate::architecture::{Architecture, Role};
use crate::error::error;

/// The name of the prefix in a file.
pub const STORED: &str = "prompt_embeddings";

/// Columns of a prefix: keys and values of all layers.
fn columns(architecture: &Architecture) -> usize {
    architecture.blocks.len() * 2 * architecture.key_width()
}

/// Fails if a prefix leaves a model no room for text.
///
/// # Errors
/// When less than two tokens, one and the next, would fit.
pub(crate) fn check_length(architecture: &Architecture, length: usize) -> Result<()> {
    let longest = architecture.context_length.saturating_sub(2);
    if (1..=longest).contains(&length) {
        return Ok(());
    }
    Err(error(
        ErrorKind::InvalidConfig,
        "set up a prefix",
        format!(
            "{length} virtual tokens leave no room for text in the context of {}",
            architecture.context_length
        ),
    )
    .with_key("method.length")
    .with_remedy(format!("a prefix of this model is 1 to {longest} long")))
}

/// Adds a prefix of this length as it is stored.
pub(crate) fn describe(architecture: &Architecture, length: usize) -> Adaptation {
    let mut parameters = AddedParameters::to(architecture);
    let shape = [length, columns(architecture)];
    let source = PrefixSource::Stored(parameters.add(STORED.into(), &shape, Role::Weight));
    adaptation(parameters, Prefix { length, source })
}

/// Adds a prefix and the network that makes it while it is trained.
pub(crate) fn describe_projected(
    architecture: &Architecture,
    length: usize,
    width: usize,
) -> Adaptation {
    let mut parameters = AddedParameters::to(architecture);
    let input = architecture.key_width();
    let source = PrefixSource::Projected {
        embedding: parameters.add("embedding.weight".into(), &[length, input], Role::Weight),
        down: parameters.affine("transform.0", input, width),
        up: parameters.affine("transform.2", width, columns(architecture)),
    };
    adaptation(parameters, Prefix { length, source })
}

fn adaptation(parameters: AddedParameters, prefix: Prefix) -> Adaptation {
    Adaptation { parameters: parameters.specs, prefix: Some(prefix), ..Adaptation::default() }
}

/// The first values of a prefix's parameters, from the keys and values that the base has computed for
/// as many tokens of real text, as its matrix holds them (Li and Liang 2021, section 7.4).
///
/// Without a projection these are the values. With one, its last layer begins at their mean, and
/// what it adds to that for each virtual token at random with a spread of 0.02; the layers before it
/// as PEFT's, normally distributed with the variance of its uniform ones.
pub(crate) fn initial_values(adaptation: &Adaptation, seed: u64, real: Vec<f32>) -> Vec<Vec<f32>> {
    let Some(Prefix { length, source: PrefixSource::Projected { up, .. } }) = adaptation.prefix
    else {
        return vec![real];
    };
    let columns = up.output;
    let mean = (0..columns).map(|column| {
        let values = real.iter().skip(column).step_by(columns);
        values.sum::<f32>() / length as f32
    });
    let mean: Vec<f32> = mean.collect();
    adaptation.initial_values(seed, |spec| match (spec.name.as_str(), spec.shape.as_slice()) {
        ("embedding.weight", _) => Beginning::Normal(1.0),
        ("transform.0.weight", [_, input]) => Beginning::Normal(1.0 / (3.0 * *input as f64).sqrt()),
        ("transform.2.weight", _) => Beginning::Normal(0.02),
        ("transform.2.bias", _) => Beginning::At(mean.clone()),
        _ => Beginning::Zero,
    })
}
