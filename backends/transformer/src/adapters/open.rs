//! Adapters from their directories.

use std::collections::BTreeSet;

use detoxlm_core::adapter::{
    AdapterConfig, AdapterDirectory, BottleneckConfig, LoraConfig, PrefixConfig,
};
use detoxlm_core::{Error, ErrorKind, Result};

use super::{Adaptation, AdaptationValues, bottleneck, lora, prefix};
use crate::architecture::Architecture;
use crate::error::error;
use crate::weights::Weights;

const OPERATION: &str = "load the adapter";

/// Reads an adapter of a model.
///
/// # Errors
/// When a tensor is missing, of another shape than the model asks for, or has no place in it: the
/// tensor and the file are named.
pub fn open(architecture: &Architecture, directory: &AdapterDirectory) -> Result<AdaptationValues> {
    let file = File { weights: Weights::open(&[directory.weights()])?, directory };
    let adaptation = match directory.config() {
        AdapterConfig::Lora(config) => file.lora(architecture, config)?,
        AdapterConfig::Bottleneck(config) => file.bottleneck(architecture, config)?,
        AdapterConfig::Prefix(config) => file.prefix(architecture, config)?,
        _ => return Err(file.refuse("this kind of adapter is not built here")),
    };
    let known: BTreeSet<_> = adaptation.parameters.iter().map(|spec| spec.name.as_str()).collect();
    if let Some((name, _)) = file.weights.names().find(|(name, _)| !known.contains(name)) {
        let example = known.first().copied().unwrap_or("none");
        return Err(file
            .refuse(format!("no part of this {} model has that tensor", architecture.family))
            .with_key(name.to_owned())
            .with_remedy(format!("its adapter would have tensors such as {example}")));
    }
    let values = adaptation
        .parameters
        .iter()
        .map(|spec| file.weights.read(&spec.name, &spec.shape))
        .collect::<Result<_>>()?;
    Ok(AdaptationValues { first: architecture.parameters.len(), adaptation, values })
}

/// An adapter's tensors.
struct File<'a> {
    weights: Weights,
    directory: &'a AdapterDirectory,
}

impl File<'_> {
    /// The modules that have tensors.
    fn lora(&self, architecture: &Architecture, config: &LoraConfig) -> Result<Adaptation> {
        let mut targets = Vec::new();
        for module in architecture.linear_modules() {
            if self.weights.contains(&lora::factor_name(architecture, &module, "lora_A")) {
                // Patterns are matched against the name without PEFT's own beginning.
                let name = format!("{}{}", architecture.prefix, module.name);
                let (rank, scale) = (config.rank_of(&name)?, config.scale_of(&name)?);
                targets.push(lora::Target { module, rank, scale, dropout: 0.0 });
            }
        }
        let adaptation = lora::describe(architecture, &targets);
        if targets.is_empty() {
            let modules = lora::names(architecture).join(", ");
            return Err(self
                .refuse(format!(
                    "it has no update for a module of this {} model",
                    architecture.family
                ))
                .with_remedy(format!("the model's modules are: {modules}")));
        }
        Ok(adaptation)
    }

    fn bottleneck(
        &self,
        architecture: &Architecture,
        config: &BottleneckConfig,
    ) -> Result<Adaptation> {
        bottleneck::describe(architecture, config, |block, site| {
            let name = bottleneck::name(architecture, config, block, site);
            // The inner width is the one thing that the model does not decide.
            let shape = self.weights.shape(&format!("{name}.adapter_down.0.bias"))?;
            Ok(shape.first().copied().unwrap_or(0))
        })
    }

    fn prefix(&self, architecture: &Architecture, config: &PrefixConfig) -> Result<Adaptation> {
        prefix::check_length(architecture, config.length)
            .map_err(|error| error.with_path(self.directory.path()))?;
        Ok(prefix::describe(architecture, config.length))
    }

    fn refuse(&self, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        error(ErrorKind::Incompatible, OPERATION, message).with_path(self.directory.weights())
    }
}
