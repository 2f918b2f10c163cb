//! Training methods that add to a model.

use detoxlm_core::adapter::{AdapterConfig, LoraConfig, PrefixConfig};
use detoxlm_core::training::Method;
use detoxlm_core::{ErrorKind, Result};

use super::{Adaptation, bottleneck, lora, prefix};
use crate::architecture::{Architecture, WeightLayout};
use crate::error::error;

/// A method that leaves the model as it is, fitted to an architecture.
#[derive(Debug)]
pub struct AddedMethod {
    method: Method,
    /// How the result is written down.
    pub config: AdapterConfig,
    /// What is added.
    pub adaptation: Adaptation,
}

impl AddedMethod {
    /// Fits a method to an architecture; nothing where it trains the model's own parameters.
    ///
    /// # Errors
    /// When something of it is impossible in this model: the key is named, and what is possible.
    pub fn new(architecture: &Architecture, method: &Method) -> Result<Option<Self>> {
        let (config, adaptation) = match method {
            Method::Full {} => return Ok(None),
            Method::Lora(lora) => {
                let targets = lora::targets(architecture, lora)?;
                let names = lora.target_modules.clone();
                let names = if names.is_empty() { lora::names(architecture) } else { names };
                let is_transposed = architecture.layout == WeightLayout::InOut;
                (
                    AdapterConfig::Lora(LoraConfig::new(lora, names, is_transposed)),
                    lora::describe(architecture, &targets),
                )
            }
            Method::Bottleneck(method) => {
                let config = bottleneck::config(architecture, method)?;
                let width = config.width.unwrap_or(1);
                let adaptation = bottleneck::describe(architecture, &config, |_, _| Ok(width))?;
                (AdapterConfig::Bottleneck(config), adaptation)
            }
            Method::Prefix(method) => {
                prefix::check_length(architecture, method.length)?;
                let config = PrefixConfig {
                    length: method.length,
                    layers: architecture.blocks.len(),
                    kv_heads: architecture.kv_heads,
                    key_width: architecture.key_width(),
                };
                let adaptation = match method.projection_width {
                    None => prefix::describe(architecture, method.length),
                    Some(width) => prefix::describe_projected(architecture, method.length, width),
                };
                (AdapterConfig::Prefix(config), adaptation)
            }
            other => {
                return Err(error(
                    ErrorKind::Unsupported,
                    "set up the method",
                    format!("it does not train \"{}\"", other.name()),
                ));
            }
        };
        Ok(Some(Self { method: method.clone(), config, adaptation }))
    }

    /// Tokens of real text whose keys and values the initial values are made of.
    pub fn real_tokens(&self) -> usize {
        self.adaptation.prefix_length()
    }

    /// The first values of the adaptation's parameters. `real` holds the base's keys and values of
    /// [`AddedMethod::real_tokens`] tokens.
    pub fn initial_values(&self, seed: u64, real: Vec<f32>) -> Vec<Vec<f32>> {
        match &self.method {
            Method::Bottleneck(method) => {
                bottleneck::initial_values(&self.adaptation, method, seed)
            }
            Method::Prefix(_) => prefix::initial_values(&self.adaptation, seed, real),
            _ => lora::initial_values(&self.adaptation, seed),
        }
    }
}
