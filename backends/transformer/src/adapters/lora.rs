//! Low-rank adaptation (Hu et al. 2021), in the names of PEFT.

use detoxlm_core::training::Lora;
use detoxlm_core::{ErrorKind, Result};

use super::{Adaptation, AddedParameters, Beginning, LowRank};
use crate::architecture::{Architecture, LinearModule, Role};
use crate::error::error;

/// A module and the update it gets.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) module: LinearModule,
    pub(crate) rank: usize,
    pub(crate) scale: f64,
    pub(crate) dropout: f64,
}

/// The modules that a configuration adapts.
///
/// # Errors
/// When a name fits no module; the error lists those there are.
pub(crate) fn targets(architecture: &Architecture, lora: &Lora) -> Result<Vec<Target>> {
    let modules = architecture.linear_modules();
    for name in &lora.target_modules {
        if !modules.iter().any(|module| is_named(module, name)) {
            return Err(error(
                ErrorKind::InvalidConfig,
                "set up LoRA",
                format!(
                    "no linear module of this {} model is called \"{name}\"",
                    architecture.family
                ),
            )
            .with_key("method.target_modules")
            .with_remedy(format!("there are: {}", names(architecture).join(", "))));
        }
    }
    let is_adapted = |module: &LinearModule| {
        lora.target_modules.is_empty()
            || lora.target_modules.iter().any(|name| is_named(module, name))
    };
    let scale = Lora::scale(lora.rank, lora.alpha, lora.rank_stabilized);
    Ok(modules
        .into_iter()
        .filter(is_adapted)
        .map(|module| Target { module, rank: lora.rank, scale, dropout: lora.dropout })
        .collect())
}

/// What the modules are called in every block: `attn.c_attn` for `h.0.attn.c_attn`.
pub(crate) fn names(architecture: &Architecture) -> Vec<String> {
    let mut names: Vec<String> = architecture
        .linear_modules()
        .iter()
        .map(|module| within_block(&module.name).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// `name` is the module's, or the end of it from a dot on, as in PEFT's `target_modules`.
fn is_named(module: &LinearModule, name: &str) -> bool {
    module.name.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A module's name from after the block's number on.
fn within_block(name: &str) -> &str {
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.')
        .find(|part| number(part))
        .map_or(name, |index| name.split_once(&format!(".{index}.")).map_or(name, |(_, rest)| rest))
}

/// What PEFT calls a factor, `lora_A` or `lora_B`, of a module's update.
pub(crate) fn factor_name(
    architecture: &Architecture,
    module: &LinearModule,
    half: &str,
) -> String {
    format!("base_model.model.{}{}.{half}.weight", architecture.prefix, module.name)
}

/// Adds the updates of the targets, which are all different modules.
pub(crate) fn describe(architecture: &Architecture, targets: &[Target]) -> Adaptation {
    let mut parameters = AddedParameters::to(architecture);
    let low_rank = targets
        .iter()
        .map(|Target { module, rank, scale, dropout }| {
            let mut factor = |half: &str, shape: &[usize]| {
                parameters.add(factor_name(architecture, module, half), shape, Role::Weight)
            };
            let update = LowRank {
                down: factor("lora_A", &[*rank, module.affine.input]),
                up: factor("lora_B", &[module.affine.output, *rank]),
                rank: *rank,
                scale: *scale,
                dropout: *dropout,
            };
            (module.affine.weight.0, update)
        })
        .collect();
    Adaptation { parameters: parameters.specs, low_rank, ..Adaptation::default() }
}

/// The first values of the adaptation's parameters: `A` normally distributed with the variance that
/// PEFT's uniform one has, 1 / (3 in), and `B` 0.
pub(crate) fn initial_values(adaptation: &Adaptation, seed: u64) -> Vec<Vec<f32>> {
    adaptation.initial_values(seed, |spec| match spec.shape.as_slice() {
        [_, input] if spec.name.ends_with(".lora_A.weight") => {
            Beginning::Normal(1.0 / (3.0 * *input as f64).sqrt())
        }
        _ => Beginning::Zero,
    })
}
